"""The secrets that a webhook is signed with: in a file of the project's, or one of its own in the state directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.errors import UsageError
from cronq.host.secret import make_secret, secrets_in

if TYPE_CHECKING:
    from cronq.host.state_dir import StateDir
    from cronq.webhook.subscription import Webhook

SHORTEST_SECRET = 16  # characters


def secrets_of(state: StateDir, webhook: Webhook) -> tuple[str, ...]:
    """Return the secrets that a webhook is signed with; the first time one of its own is made. Raises UsageError."""
    return secrets_in(secret_path(state, webhook), SHORTEST_SECRET)


def secret_path(state: StateDir, webhook: Webhook) -> str:
    """Return the file that holds the secrets of a webhook; one in the state directory is made."""
    if webhook.secret_file is not None:
        return webhook.secret_file
    state.prepare()
    path = state.secret(webhook.name)
    try:
        make_secret(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    return path
