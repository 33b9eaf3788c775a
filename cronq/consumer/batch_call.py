"""Several messages of a batch task, made one call, and how each of them ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cronq.errors import PartlyFailed
from cronq.namedtuple import NamedTuple
from cronq.tasks.context import headers_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.consumer.runnable import Runnable
    from cronq.messages.message import Message
    from cronq.tasks.batch_task import BatchTask, Ran


class Ending(NamedTuple):
    """How one message of a call ended: with an error, or else with a result."""

    message: Message
    result: object = None
    error: BaseException | None = None


class Together:
    """One call for several messages.

    `leader` stands for all of them in what surrounds the call: the first one, with the headers that all have in
    common. So what differs, such as the user, is missing there, and nobody's message runs with another's rights.
    """

    def __init__(self, prepared: Sequence[tuple[Message, Runnable]]) -> None:
        self.messages: list[Message] = [message for message, _ in prepared]
        first, runnable = prepared[0]
        self.task: BatchTask[Any, Any] = cast("BatchTask[Any, Any]", runnable.task)
        self.leader: Message = first._replace(headers=_common(self.messages), follow=b"", group_id=None)
        self.runnable: Runnable = runnable._replace(args=[], kwargs={}, run=self._run)
        self._items = [self.task.item(one.args, one.kwargs) for _, one in prepared]
        self._ran: Ran | None = None

    def endings(self, error: BaseException | None) -> Iterator[Ending]:
        """Say how each message ended, when the call ended in `error`, or in none."""
        each = error.failures if isinstance(error, PartlyFailed) else self._ran.failures if self._ran else {}
        for index, message in enumerate(self.messages):
            failure = each.get(index, error)
            if failure is not None or self._ran is None:
                yield Ending(message, error=failure)
            else:
                yield Ending(message, self._ran.results[index])

    def _run(self, **injected: object) -> None:
        self._ran = self.task.run_together(self._items, **injected)


def _common(messages: Sequence[Message]) -> bytes:
    first, *others = messages
    if all(one.headers == first.headers for one in others):
        return first.headers
    import json

    common = set(headers_of(first).items()).intersection(*(headers_of(one).items() for one in others))
    return json.dumps(dict(common)).encode() if common else b""
