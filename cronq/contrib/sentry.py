"""Reports of failures to Sentry: `pip install cronq-toolkit[sentry]`, then `sentry_sdk.init(...); sentry.connect(app)`.

A report says which message failed, at which attempt, and what its headers were. Names that sound like secrets are
filtered; the arguments, and the local variables of the traceback, in which they would stand, come only when asked for.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.scope import use_isolation_scope

from cronq import events
from cronq.errors import RetryLater
from cronq.messages.own_headers import label_of
from cronq.tasks.context import headers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sentry_sdk.scope import Scope

    from cronq.app import App
    from cronq.messages.message import Message
    from cronq.tasks.context import Context

FILTERED = "[Filtered]"
FLUSH_S = 2.0
_SECRET = re.compile(r"auth|cookie|credential|key|passw|secret|session|sign|token", re.IGNORECASE)
_FINAL = frozenset({"failed", "ended_once"})


def connect(app: App, *, every_attempt: bool = False, arguments: bool = False) -> None:
    """Report messages that are given up; with `every_attempt` also attempts that are to be retried.

    Each message runs in an isolation scope of its own: tags and breadcrumbs of one do not show up with the next.
    `RetryLater` is no failure and is not reported. Consumers wait up to 2 seconds for their reports before they leave.
    Events are those of the whole process, so the options of the first call hold for every app in it.
    """
    reports = next((one for one in events.listeners if isinstance(one, Reports)), None)
    if reports is None:
        reports = Reports(every_attempt, arguments)
        events.listeners.append(reports)
    if reports.scope not in app.hooks.arounds:
        app.around(reports.scope)
    ignore_logger("cronq")  # the lines of cronq.contrib.logs say the same again


class Reports:
    """Listens to what becomes of messages. Keeps the scope of one that has raised until its end is decided."""

    def __init__(self, every_attempt: bool = False, arguments: bool = False) -> None:
        self._reported = _FINAL | {"released"} if every_attempt else _FINAL
        self._arguments = arguments
        self._scopes: dict[str, Scope] = {}

    @contextmanager
    def scope(self, context: Context) -> Iterator[None]:
        """Run one attempt in a scope of its own."""
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            try:
                yield
            except BaseException:
                self._scopes[context.message_id] = scope
                raise

    def __call__(self, name: str, facts: Mapping[str, Any]) -> None:
        if name == "consumer_stopped":
            sentry_sdk.flush(timeout=FLUSH_S)
        elif name in _FINAL or name == "released":
            scope = self._scopes.pop(facts["message"].id, None)
            if name in self._reported and not isinstance(facts["error"], RetryLater):
                self._report(facts["message"], facts["error"], scope, is_final=name in _FINAL)

    def _report(self, message: Message, error: BaseException | str, scope: Scope | None, *, is_final: bool) -> None:
        with use_isolation_scope(scope or sentry_sdk.get_isolation_scope().fork()), sentry_sdk.new_scope() as current:
            current.set_tags({"cronq.tasks.task": message.task, "cronq.queue": message.queue, "cronq.final": is_final})
            current.set_transaction_name(message.task, source="task")
            current.set_context("cronq", self._facts(message))
            current.add_event_processor(self._without_locals)
            if isinstance(error, BaseException):
                sentry_sdk.capture_exception(error)
            else:  # it never ran: no such task, unreadable arguments, too late
                sentry_sdk.capture_message(f"{message.task}: {error}", level="error")

    def _without_locals(self, event: Any, hint: object) -> Any:
        """Drop local variables: those of cronq's own frames always, since they hold whole messages."""
        for kind in ("exception", "threads"):
            for one in event.get(kind, {}).get("values", ()):
                for frame in (one.get("stacktrace") or {}).get("frames", ()):
                    if not self._arguments or str(frame.get("module")).startswith("cronq."):
                        frame.pop("vars", None)
        return event

    def _facts(self, message: Message) -> dict[str, Any]:
        known: dict[str, Any] = {
            "message_id": message.id,
            "task": message.task,
            "queue": message.queue,
            "attempt": message.attempt,
            "max_attempts": message.max_attempts or "unlimited",
            "headers": _filtered(headers_of(message)),
        }
        if label := label_of(message):
            known["label"] = label
        if self._arguments:
            known["arguments"] = _filtered(_json_of(message.body))
        return known


def _filtered(value: Any) -> Any:
    """Return JSON with FILTERED in place of whatever has the name of a secret."""
    if isinstance(value, dict):
        return {name: FILTERED if _SECRET.search(name) else _filtered(one) for name, one in value.items()}
    return [_filtered(one) for one in value] if isinstance(value, list) else value


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return ascii(body)
