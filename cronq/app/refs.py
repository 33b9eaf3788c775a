"""The refs of an app's messages, and what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from cronq.errors import UnknownTaskError, UsageError, WaitTimeout
from cronq.events import emit
from cronq.messages.outbox import HELD
from cronq.tasks.ref import OVER, SENT, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.app.definitions import Definitions
    from cronq.messages.message import Message, Record
    from cronq.messages.outbox import Outbox


class AppRefs:
    """Makes refs, and remembers those whose messages may yet be absorbed as long as somebody holds them."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._open: WeakValueDictionary[str, Ref[Any]] = WeakValueDictionary()

    def one(self, message: str | Ref[Any]) -> Ref[Any]:
        """Return a ref for the message of this id, or for the one that a ref out of a pickle names."""
        if not isinstance(message, str | Ref):
            raise UsageError(f"{message!r:.100} is no id of a message: it is text, what ref.id returns")
        return Ref(message if isinstance(message, str) else message.id, self)

    def sent(self, message_id: str) -> Ref[Any]:
        """Return a ref for a message that is known to have been sent."""
        return Ref(message_id, self, SENT)

    def of(self, messages: Sequence[Message], outbox: Outbox | None = None) -> list[Ref[Any]]:
        """Return a ref for each message: held by `outbox`, or else sent."""
        origin = SENT if outbox is None else outbox
        refs = []
        for message in messages:
            ref: Ref[Any] = Ref(message.id, self, origin)
            refs.append(ref)
            if message.unique_key is not None:
                self._open[ref.id] = ref
        return refs

    def learn(self, absorbed: Mapping[str, str]) -> None:
        """Let the refs of absorbed messages name those that are there."""
        for message_id, standing_id in absorbed.items():
            ref = self._open.pop(message_id, None)
            if ref is not None:
                ref.absorbed_by(standing_id)

    def find(self, message_id: str) -> Record | None:
        return self._definitions.installation.transport.find(message_id)

    def is_spooled(self, message_id: str) -> bool:
        installation = self._definitions.installation
        if not installation.settings.spool:
            return False
        from cronq.supervisor.replay import lying_in

        try:
            return any(one.id == message_id for one in lying_in(installation))
        except OSError as error:
            emit("trouble", error=error)
            return False

    def result_of(self, record: Record) -> Any:
        stored = record.result or b"null"
        try:
            codec = self._definitions.find(record.message.task).codec
        except (UnknownTaskError, UsageError):  # of a task that this process does not know, or cannot read
            import msgspec

            return msgspec.json.decode(stored)
        return codec.decode_result(stored)

    def wait(self, ref: Ref[Any], timeout_s: float) -> None:
        from cronq.app.looks import looks

        for _ in looks(timeout_s):
            status = ref.refresh().status
            if status in OVER:
                return
            if status == HELD:
                raise UsageError(
                    f"message {ref.id} is held in an outbox: wait for it behind the `with` block or request"
                )
        raise WaitTimeout(f"message {ref.id} is still {status} after {timeout_s:g} s")

    def cancel(self, message_id: str) -> bool:
        return self._definitions.installation.transport.cancel([message_id]) == 1

    def stop(self, message_id: str) -> bool:
        from cronq.supervisor.stop_request import stop

        return bool(stop(self._definitions.installation.transport, [message_id]))
