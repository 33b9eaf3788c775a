"""Messages as bytes, for where no store is: what one release writes, the one before and the one after can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cronq.messages.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULTS = Message("", "", "", b"")._asdict()


def packed(messages: Sequence[Message]) -> bytes:
    """Return messages as MessagePack: a map for each, of those fields that are not as usual."""
    return msgspec.msgpack.encode(
        [{name: value for name, value in message._asdict().items() if value != _DEFAULTS[name]} for message in messages]
    )


def unpacked(data: bytes) -> list[Message]:
    """Return what was packed. Fields that another release has added are passed over."""
    return [
        Message(**{**_DEFAULTS, **{name: value for name, value in one.items() if name in _DEFAULTS}})
        for one in msgspec.msgpack.decode(data)
    ]
