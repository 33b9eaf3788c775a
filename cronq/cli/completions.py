"""What the shell offers for names and ids: within seconds, and silently where nothing can be known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr
from functools import wraps
from io import StringIO
from typing import TYPE_CHECKING

from cronq.cli.common import bare_app, known_queues, settings_of
from cronq.cli.database import is_used
from cronq.cli.short_ids import LEAST
from cronq.escape import escaped
from cronq.messages.message import WAITING, State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    import click
    from click.shell_completion import CompletionItem

    from cronq.config.settings import Settings
    from cronq.messages.message import Record

    Offer = tuple[str, str]
    """A word, and what the shell may say of it."""
    Offers = Callable[[Settings, str], Iterable[Offer]]
    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

PATIENCE_S = 3.0  # for a project that is imported: Django and its models take one
MOST = 200


def _completer(offers: Offers) -> Completer:
    """Make what click asks of what offers words for the beginning of one. Nothing of it is seen, or breaks the line."""

    @wraps(offers)
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        context.obj = context.obj or context.find_root().params.get("config")
        try:
            with redirect_stderr(StringIO()):
                found = list(offers(settings_of(context), incomplete))
        except Exception:  # whatever is wrong, the next command says it; here it would stand in the middle of a line
            return []
        return [CompletionItem(word, help=escaped(said) or None) for word, said in found if word.startswith(incomplete)]

    return complete


@_completer
def queues(settings: Settings, incomplete: str) -> Iterable[Offer]:
    held = [one.queue for one in bare_app(settings).transport.counts()] if is_used(settings) else []
    return [(queue, "") for queue in dict.fromkeys([*known_queues(settings), *held])]


@_completer
def groups(settings: Settings, incomplete: str) -> Iterable[Offer]:
    return [(group.name, " ".join(group.queues)) for group in settings.groups]


@_completer
def tasks(settings: Settings, incomplete: str) -> Iterable[Offer]:
    """Offer what the project has; where importing it fails or takes too long, what the last consumer has noted."""
    from cronq.host.state_dir import StateDir, read_text

    listed = _listed(settings, "tasks")
    if listed is not None:
        return [(one["task"], f"queue {one['queue']}") for one in listed]
    return [(name, "") for name in (read_text(StateDir(settings.state_dir).known_tasks) or "").splitlines()]


@_completer
def schedules(settings: Settings, incomplete: str) -> Iterable[Offer]:
    """Offer what is stored, and what the project declares now. Listing them stores them: not where nothing is yet."""
    listed = _listed(settings, "schedule") if is_used(settings) else None
    return [(one["name"], one["cron"]) for one in listed or []]


def _ids(states: Collection[State]) -> Completer:
    def offers(settings: Settings, incomplete: str) -> Iterable[Offer]:
        found = _records(settings, states, incomplete.lower()) if is_used(settings) else []
        return [(one.message.id, f"{one.message.task}, {one.state}") for one in found]

    return _completer(offers)


def _records(settings: Settings, states: Collection[State], digits: str) -> Iterable[Record]:
    """Return messages in these states: by their first digits, and before these mean much, the next of each state."""
    search = bare_app(settings).transport
    if len(digits) < LEAST:
        return [one for state in states for one in search.browse(state, at_most=MOST)]
    found = (search.find(one) for one in search.starting_with(digits, MOST))
    return [one for one in found if one is not None and one.state in states]


message_ids: Completer = _ids(list(State))
failed_ids: Completer = _ids([State.FAILED])
waiting_ids: Completer = _ids([state for state in State if state in WAITING])
running_ids: Completer = _ids([State.RESERVED])


def _listed(settings: Settings, kind: str) -> list[dict[str, str]] | None:
    """Return what `cronq KIND list --json` says; None when it fails or takes too long.

    In a process of its own: a project that hangs while it is imported, prints, or ends the process does so there.
    """
    import json

    config = ["--config", settings.path] if settings.path else []
    words = [sys.executable, "-P", "-m", "cronq", *config, kind, "list", "--json"]
    environ = {name: value for name, value in os.environ.items() if name != "_CRONQ_COMPLETE"}
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(
        words, env=environ, stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere, start_new_session=True
    ) as process:
        try:
            out, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None
    listed: list[dict[str, str]] | None = json.loads(out) if out else None
    return listed
