"""What follows the messages of a task by the code: failure callbacks and webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import UsageError
from cronq.tasks.task import RESULT

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app.definitions import Definitions
    from cronq.messages.follow import Step
    from cronq.tasks.task import Call, Task


class Followers:
    """Knows for each task what is stored with every message of it; most often nothing.

    Messages that follow by this have no followers of their own: a callback that fails calls nobody.
    """

    def __init__(self, definitions: Definitions, step_of: Callable[[Call[Any]], Step]) -> None:
        self._definitions = definitions
        self._step_of = step_of
        self._callbacks: list[Task[..., Any]] = []
        self._known: dict[tuple[str, str], bytes] = {}

    def add(self, callback: Task[..., Any]) -> None:
        """Call this task after failures of all others."""
        self._callbacks.append(callback)
        self.forget()

    def forget(self) -> None:
        """Look again what is asked for: it has changed."""
        self._known.clear()

    def of(self, task: Task[..., Any], queue: str) -> bytes:
        """Return what follows each message of a task in a queue, as it is stored."""
        known = self._known.get((task.name, queue))
        if known is None:
            known = self._known[task.name, queue] = self._find(task, queue)
        return known

    def _find(self, task: Task[..., Any], queue: str) -> bytes:
        failed = self._on_failure(task)
        webhooks = self._definitions.installation.settings.webhooks
        if not failed and not webhooks:
            return b""
        from cronq.messages.follow import Follow, written

        follow = Follow(failed=tuple(map(self._step_of, failed)))
        if webhooks:
            from cronq.app.webhook_task import reports

            follow += reports(self._definitions, self._step_of, task.name, queue)
        return written(follow)

    def _on_failure(self, task: Task[..., Any]) -> list[Call[Any]]:
        own = task.on_failure
        wanted = [*([] if own is None else [own]), *self._callbacks]
        return [_told(callback) for callback in dict.fromkeys(wanted) if callback is not task]


def _told(callback: Task[..., Any]) -> Call[Any]:
    if not callback.codec.parameters:
        raise UsageError(f"{callback.name} is called after failures: give it a parameter, failure: cronq.Failure")
    return callback.call(RESULT)
