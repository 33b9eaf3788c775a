"""Things of one kind as a table for a person, and as data for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from cronq.cli.answer import Answer
from cronq.cli.text import table
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """What stands over a column, and what it shows of each thing; numbers are aligned on the right."""

    head: str
    cell: Callable[[T], str]
    is_right: bool = False


class Listing(Generic[T]):
    """How things of one kind are listed: `data` is all that a program gets of one, the columns what a person sees."""

    def __init__(self, data: Callable[[T], object], *columns: Column[T]) -> None:
        self._data = data
        self._columns = columns

    def of(self, things: Sequence[T], notes: Sequence[str] = ()) -> Answer:
        """Return the list of these things; a person reads the notes below the table."""
        return Answer(lambda: [*self._table(things), *notes], lambda: [self._data(one) for one in things])

    def _table(self, things: Sequence[T]) -> list[str]:
        head = [column.head for column in self._columns]
        rows = [[column.cell(one) for column in self._columns] for one in things]
        return table([head, *rows], frozenset(place for place, one in enumerate(self._columns) if one.is_right))
