"""What a runner is told of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer.isolation_choice import confinement_of
from cronq.consumer.runnable import Tasks
from cronq.messages.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app.definitions import Definitions
    from cronq.app.project_hooks import ProjectHooks
    from cronq.messages.message import Message


def tasks_of(
    definitions: Definitions, hooks: ProjectHooks, send: Callable[[list[Message]], None], isolated: bool = False
) -> Tasks:
    """Return it. `isolated`: every message of this runner has a process of its own."""
    installation = definitions.installation
    return Tasks(
        definitions.find,
        definitions.policy_of,
        definitions.timeout_of,
        definitions.result_ttl_of,
        lambda: Outbox().open(send),
        hooks.arounds,
        hooks.resets,
        hooks.disconnects,
        confinement_of(installation.settings, everything=isolated),
        lambda group_id: installation.transport.results(group_id),  # noqa: PLW0108 - opens no queue before it is asked
    )
