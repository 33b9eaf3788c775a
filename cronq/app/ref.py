"""A handle on an enqueued message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from cronq.messages.message import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.messages.message import Message, Record
    from cronq.transports.installation import Installation


class Ref:
    """Names one message. `status` and `result` are as of the last `refresh()`.

    When the message is absorbed, since one of its unique key is there already, `id` is that one's from then on:
    at once, or when the outbox that holds it is sent.
    """

    __slots__ = ("__weakref__", "_installation", "_record", "id")

    def __init__(self, message_id: str, installation: Installation) -> None:
        self.id = message_id
        self._installation = installation
        self._record: Record | None = None

    def __repr__(self) -> str:
        return f"<Ref {self.id}>"

    def refresh(self) -> Ref:
        """Look the message up again and return self."""
        self._record = self._installation.transport.find(self.id)
        return self

    @property
    def status(self) -> str:
        """`ready`, `delayed`, `blocked`, `reserved`, `failed`, `done`; `gone`: finished and not kept, or removed."""
        self.refresh()
        return self._record.state.value if self._record else "gone"

    @property
    def error(self) -> str | None:
        """What the last failed attempt said, None when none failed."""
        self.refresh()
        return self._record.error if self._record else None

    @property
    def result(self) -> Any:
        """The return value as JSON gives it back; None until it is there (`result_ttl_s` keeps it)."""
        self.refresh()
        if self._record is None or self._record.state is not State.DONE or not self._record.result:
            return None
        import msgspec

        return msgspec.json.decode(self._record.result)

    def cancel(self) -> bool:
        """Remove the message if it waits: ready, delayed or blocked. False when it is being run, is over, or not sent.

        What would follow it never comes; the callback of its group does not wait for it any longer.
        """
        return self._installation.transport.cancel([self.id]) == 1

    def stop(self) -> bool:
        """Ask for the end of the message that is being run: TaskStopped is raised in its task.

        False when it is not being run. It ends in the failure queue, unless it has finished by then. A task that
        looks at `context.should_stop` has 5 seconds to end by itself; one that runs in a web process, or on another
        host, ends only by that.
        """
        from cronq.supervisor.stop_request import stop

        return bool(stop(self._installation.transport, [self.id]))


class Refs:
    """Makes refs, and remembers those whose messages may yet be absorbed as long as somebody holds them."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._open: WeakValueDictionary[str, Ref] = WeakValueDictionary()

    def one(self, message_id: str) -> Ref:
        """Return a ref for the message of this id."""
        return Ref(message_id, self._installation)

    def of(self, messages: Sequence[Message]) -> list[Ref]:
        """Return a ref for each message."""
        refs = []
        for message in messages:
            ref = Ref(message.id, self._installation)
            refs.append(ref)
            if message.unique_key is not None:
                self._open[ref.id] = ref
        return refs

    def learn(self, absorbed: Mapping[str, str]) -> None:
        """Let the refs of absorbed messages name those that are there."""
        for message_id, standing_id in absorbed.items():
            ref = self._open.pop(message_id, None)
            if ref is not None:
                ref.id = standing_id
