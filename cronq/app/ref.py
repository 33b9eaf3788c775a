"""A handle on an enqueued message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.message import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.message import Record


class Ref:
    """Names one message. `status` and `result` are as of the last `refresh()`."""

    __slots__ = ("_find", "_record", "id")

    def __init__(self, message_id: str, find: Callable[[str], Record | None]) -> None:
        self.id = message_id
        self._find = find
        self._record: Record | None = None

    def __repr__(self) -> str:
        return f"<Ref {self.id}>"

    def refresh(self) -> Ref:
        """Look the message up again and return self."""
        self._record = self._find(self.id)
        return self

    @property
    def status(self) -> str:
        """`ready`, `delayed`, `reserved`, `failed`, `done`, or `gone`: finished without a kept result, or removed."""
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
