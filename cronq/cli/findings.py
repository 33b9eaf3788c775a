"""What `cronq check` finds."""

from __future__ import annotations

from cronq.namedtuple import NamedTuple


class Fact(NamedTuple):
    """Something that is as it should be: `what` names it in a word."""

    what: str
    text: str


class Warned(NamedTuple):
    """Something that works, and probably not as meant."""

    text: str


class Error(NamedTuple):
    """Something that cannot work."""

    text: str


Finding = Fact | Warned | Error
