"""Things of one kind as a table for a person, and as data for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from cronq.cli.answer import Answer
from cronq.cli.table_writer import Fit, lay_out
from cronq.cli.terminal import cut_right, line_width
from cronq.cli.text import bold
from cronq.escape import escaped
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """What stands over a column, what it shows of each thing, and how it behaves where the line is too long."""

    head: str
    cell: Callable[[T], str]
    kind: Fit = Fit.WHOLE
    only_if_any: bool = False  # left out of a table where it would be empty


class Listing(Generic[T]):
    """How things of one kind are listed: `data` is all that a program gets of one, the columns what a person sees.

    `below` is a line under each, `empty` what is said when there are none.
    """

    def __init__(
        self,
        data: Callable[[T], object],
        *columns: Column[T],
        below: Callable[[T], str] | None = None,
        empty: str = "",
    ) -> None:
        self._data = data
        self._columns = columns
        self._below = below
        self._empty = empty

    def of(self, things: Sequence[T], notes: Callable[[], Iterable[str]] = tuple) -> Answer:
        """Return the list of these things; a person reads the notes below the table."""
        return Answer(lambda: [*self._table(things), *notes()], lambda: [self._data(one) for one in things])

    def _table(self, things: Sequence[T]) -> Iterator[str]:
        if not things and self._empty:
            yield self._empty
            return
        width = line_width()
        cells = [(column, [column.cell(one) for one in things]) for column in self._columns]
        shown = [(column, texts) for column, texts in cells if not column.only_if_any or any(texts)]
        rows = zip(*([column.head, *texts] for column, texts in shown), strict=True)
        first, *lines = lay_out([*rows], [column.kind for column, _ in shown], width)
        yield bold(first)
        for one, line in zip(things, lines, strict=True):
            yield line
            if self._below is not None:
                below = f"  {escaped(self._below(one))}"
                yield below if width is None else cut_right(below, width)
