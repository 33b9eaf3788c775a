"""Ids as a person reads and types them: their first digits, as many as name one message and no other."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

from cronq.cli.terminal import line_width
from cronq.errors import UsageError
from cronq.escape import escaped
from cronq.messages.ids import DIGITS, first_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app import App
    from cronq.transports.abilities.search import Search

LEAST = 8  # a minute's worth of messages; fewer digits would come to mean another message soon
_NAMED = 4  # ids in a complaint
_HEX = frozenset("0123456789abcdef")


class ShortIds:
    """The ids of one screen, all of one length. They are whole where no terminal bounds the line."""

    def __init__(self, app: App, ids: Sequence[str]) -> None:
        self._app = app
        self._ids = ids

    def __call__(self, message_id: str) -> str:
        return message_id[: self._length]

    @cached_property
    def _length(self) -> int:
        """No message that is there begins the same, and none that will come, since ids begin with the time."""
        if line_width() is None:
            return DIGITS
        length, now = LEAST, first_digits(time.time())
        for one in self._ids:
            while length < DIGITS and (
                now.startswith(one[:length]) or len(self._app.transport.starting_with(one[:length], 2)) > 1
            ):
                length += 1
        return length


def whole_id(search: Search, given: str) -> str | None:
    """Return the id of the message that `given` names, by its id or the first digits of it. None when there is none.

    Raises UsageError when these digits are too few to name one message.
    """
    digits = given.lower()
    if len(digits) < LEAST:
        raise UsageError(f"{escaped(given)} is no id of a message: give at least {LEAST} of its digits")
    found = search.starting_with(digits, _NAMED + 1) if _HEX.issuperset(digits) else []
    if len(found) > 1:
        several = ", ".join(found[:_NAMED]) + (" and more" if len(found) > _NAMED else "")
        raise UsageError(f"{escaped(given)} is the beginning of several messages, {several}: give more digits")
    return found[0] if found else None
