"""A handle on an enqueued message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from cronq.errors import NoResult, UsageError
from cronq.messages.message import State
from cronq.messages.outbox import DROPPED, HELD, Outbox
from cronq.units import in_seconds

if TYPE_CHECKING:
    from datetime import timedelta

    from cronq.messages.message import Record

R_co = TypeVar("R_co", covariant=True)

GONE, UNKNOWN, SPOOLED = "gone", "unknown", "spooled"
OVER = frozenset({State.DONE.value, State.FAILED.value, GONE, DROPPED, UNKNOWN})
"""What the status of a message is that nobody has to wait for."""

SENT: Final = "sent"
_ENDED = frozenset({State.DONE, State.FAILED})


class Refs(Protocol):
    """What a ref asks: those who know where messages are, and what their tasks return."""

    def find(self, message_id: str) -> Record | None:
        """Return everything known of a message, None when it is not there."""

    def is_spooled(self, message_id: str) -> bool:
        """Tell whether a message lies in the spool, since its queue could not be written."""

    def result_of(self, record: Record) -> Any:
        """Return the kept result of a message, with the type that its task says it returns."""

    def wait(self, ref: Ref[Any], timeout_s: float) -> None:
        """Return when the message is over. Raises WaitTimeout, and UsageError where waiting makes no sense."""

    def cancel(self, message_id: str) -> bool:
        """Remove a message that waits; tell whether it was one."""

    def stop(self, message_id: str) -> bool:
        """Ask for the end of a message that is being run; tell whether it was one."""


class Ref(Generic[R_co]):
    """Names one message by its `id`. Refs are equal when their ids are, and can be pickled.

    Every question looks at the queue, until a look finds the message over: what that one has seen stays, and more
    questions cost nothing, until `refresh()`. When the message is absorbed, since one of its unique key is there
    already, `id` is that one's from then on: at once, or when the outbox that holds it is sent.
    """

    __slots__ = ("__weakref__", "_origin", "_record", "_refs", "id")

    def __init__(self, message_id: str, refs: Refs | None = None, origin: Outbox | str | None = None) -> None:
        self.id: str = message_id
        self._refs = refs
        self._origin = origin  # SENT, the outbox that held it, or None: somebody kept the id
        self._record: Record | None = None  # as the last look has shown it

    def __repr__(self) -> str:
        return f"<Ref {self.id}>"

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Ref) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> tuple[type[Ref[Any]], tuple[str]]:
        return Ref, (self.id,)

    def refresh(self) -> Ref[R_co]:
        """Look the message up again, whatever was seen before, and return self."""
        self._record = None if self._fate() is not None else self._asked.find(self.id)
        return self

    def wait(self, timeout_s: float | timedelta) -> Ref[R_co]:
        """Return self when the message is over: done, failed, or gone.

        For scripts, commands and tests. In a web request it would hold one of the few processes that an account has,
        perhaps the very one that would have run the message. Raises WaitTimeout after `timeout_s` seconds.
        """
        self._asked.wait(self, in_seconds(timeout_s))
        return self

    @property
    def status(self) -> str:
        """`ready`, `delayed`, `blocked`, `reserved`, `failed`, `done`; or why it is in no queue.

        `held`: in an outbox that is not sent yet; `dropped` with one that never was. `spooled`: kept aside
        while the queue cannot be written. `gone`: finished and not kept, or
        removed. `unknown`: there is no such message now, and this ref was made from an id, so nobody knows of any.
        """
        fate = self._fate()
        if fate is not None:
            return fate
        record = self._looked()
        if record is not None:
            return record.state.value
        if self._asked.is_spooled(self.id):
            return SPOOLED
        return UNKNOWN if self._origin is None else GONE

    @property
    def error(self) -> str | None:
        """What the last failed attempt said, None when none failed."""
        record = self._looked()
        return record.error if record is not None else None

    @property
    def result(self) -> R_co:
        """What the task returned, with the type that its annotation names; `result_ttl_s` keeps it.

        Raises NoResult, which says why there is none: not yet, failed, or not kept.
        """
        record = self._looked()
        if record is None or record.state is not State.DONE or not record.result:
            raise NoResult(self._why_none())
        return cast("R_co", self._asked.result_of(record))

    def _why_none(self) -> str:
        status = self.status
        reasons = {
            State.DONE.value: "it has returned, and its result was not kept: give its task result_ttl_s",
            State.FAILED.value: f"it failed for good: {last_line(self.error)}",
            GONE: "it has finished or was removed, and nothing was kept of it: give its task result_ttl_s",
            UNKNOWN: "there is no message of that id: it never was here, or has finished and was not kept",
            HELD: "it is held in an outbox, which is sent when the code around it has succeeded",
            DROPPED: "it was dropped with its outbox, whose code failed",
        }
        not_yet = f"no result yet, it is {status}: ref.wait(timeout_s) waits for it"
        return f"message {self.id}: {reasons.get(status, not_yet)}"

    def cancel(self) -> bool:
        """Remove the message if it waits: ready, delayed or blocked. False when it is being run, is over, or not sent.

        What would follow it never comes; the callback of its group does not wait for it any longer.
        """
        return self._asked.cancel(self.id)

    def stop(self) -> bool:
        """Ask for the end of the message that is being run: TaskStopped is raised in its task.

        False when it is not being run. It ends in the failure queue, unless it has finished by then. A task that
        looks at `context.should_stop` has 5 seconds to end by itself; one that runs in a web process, or on another
        host, ends only by that.
        """
        return self._asked.stop(self.id)

    def absorbed_by(self, message_id: str) -> None:
        """Name the message that stands for this one from now on."""
        self.id, self._origin, self._record = message_id, SENT, None

    def _looked(self) -> Record | None:
        """Return what the last look has shown, when it may be taken for the last word, else look again."""
        if self._record is None or self._record.state not in _ENDED:
            self.refresh()
        return self._record

    def _fate(self) -> str | None:
        return self._origin.fate(self.id) if isinstance(self._origin, Outbox) else None

    @property
    def _asked(self) -> Refs:
        if self._refs is None:
            raise UsageError(f"the ref of message {self.id} comes out of a pickle and knows no app: take app.ref(ref)")
        return self._refs


def last_line(error: str | None) -> str:
    """Return what a traceback says at its end."""
    return (error or "").strip().rpartition("\n")[2]
