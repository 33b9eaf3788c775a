"""Who there is, who may do what, and who acts now. Knows nothing of queues."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Person(NamedTuple):
    name: str
    may: frozenset[str] = frozenset()
    is_superuser: bool = False


class Forbidden(Exception):
    """Somebody did what they may not do."""


ANONYMOUS = Person("anonymous", frozenset({"read"}))
PEOPLE = {
    "ada": Person("ada", frozenset({"read", "write", "publish"})),
    "bob": Person("bob", frozenset({"read", "write"})),
}

_acting: ContextVar[Person] = ContextVar("acting", default=ANONYMOUS)


def acting() -> Person:
    """Return who acts now: a visitor who has not logged in is anonymous."""
    return _acting.get()


@contextmanager
def act_as(person: Person) -> Iterator[None]:
    """Do something as somebody: what a login does for the time of a request."""
    token = _acting.set(person)
    try:
        yield
    finally:
        _acting.reset(token)


def require(permission: str) -> None:
    """Raise Forbidden when who acts now may not do this. A superuser may do everything."""
    person = acting()
    if not person.is_superuser and permission not in person.may:
        raise Forbidden(f"{person.name} may not {permission}")
