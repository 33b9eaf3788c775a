"""How often messages may be reserved: `10/m`, and a meter that keeps to it. Pure."""

from __future__ import annotations

import re
from math import floor, inf, nextafter

from cronq.namedtuple import NamedTuple

_FORM = re.compile(r"(\d{1,9})\s*/\s*(\d{0,9})\s*([smhd])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CELLS = 60  # a meter counts in so many parts of the window, the one that has just begun included
_LONGEST_S = 366 * 86400


class Rate(NamedTuple):
    """At most `amount` in any window of `window_s` seconds."""

    amount: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.amount}/{self.window_s}s"


def parse(text: object) -> Rate:
    """Read `10/m`, `1/s`, `100/15m`. Raises ValueError, whose text says what would be right."""
    found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f'{text!r} is no rate: write a number and a time, such as "10/m", "1/s", "100/15m", "500/d"')
    amount, units, unit = found.groups()
    rate = Rate(int(amount), int(units or 1) * _UNITS_S[unit])
    if not rate.amount:
        raise ValueError(f"{text!r} would let nothing run: pause the task or the queue instead")
    if not 0 < rate.window_s <= _LONGEST_S:
        raise ValueError(f"{text!r}: the time must be from one second to a year")
    return rate


class Meter(NamedTuple):
    """What has been spent of a rate, counted in cells of the window: (number of the cell since the epoch, how many).

    A cell counts until a whole window has passed since its end, so never more than `amount` are in any window.
    """

    rate: Rate
    spent: tuple[tuple[int, int], ...] = ()

    def room(self, now: float) -> int:
        """Return how many more are allowed now."""
        return max(0, self.rate.amount - sum(count for _, count in self.at(now).spent))

    def next_at(self, now: float) -> float:
        """Return from when on one more is allowed; `now`, when it is already."""
        spent = self.at(now).spent
        left = sum(count for _, count in spent)
        at = now
        for cell, count in spent:
            if left < self.rate.amount:
                break
            left -= count
            at = self._begin(cell + _CELLS)
        return at

    def spend(self, now: float, count: int = 1) -> Meter:
        """Return the meter after so many more."""
        kept = dict(self.at(now).spent)
        number = self._cell(now)
        kept[number] = kept.get(number, 0) + count
        return Meter(self.rate, tuple(sorted(kept.items())))

    def at(self, now: float) -> Meter:
        """Return the meter with what counts now. What lies ahead was spent before the clock was set back: just now."""
        number = self._cell(now)
        kept: dict[int, int] = {}
        for cell, count in self.spent:
            if cell > number - _CELLS:
                kept[min(cell, number)] = kept.get(min(cell, number), 0) + count
        return Meter(self.rate, tuple(sorted(kept.items())))

    def is_ahead(self, now: float) -> bool:
        """Tell whether the clock was set back: then the meter must be stored anew, or it would wait for that time."""
        return bool(self.spent) and self.spent[-1][0] > self._cell(now)

    def under(self, rate: Rate) -> Meter:
        """Return the meter of another rate that has been spent as this one has."""
        if rate == self.rate:
            return self
        kept: dict[int, int] = {}
        changed = Meter(rate)
        for cell, count in self.spent:
            number = changed._cell(nextafter(self._begin(cell + 1), -inf))
            kept[number] = kept.get(number, 0) + count
        return Meter(rate, tuple(sorted(kept.items())))

    def written(self) -> str:
        """Return what has been spent as text."""
        return " ".join(f"{cell}:{count}" for cell, count in self.spent)

    def _cell(self, at: float) -> int:
        return floor(at * (_CELLS - 1) / self.rate.window_s)

    def _begin(self, cell: int) -> float:
        """Return the first time in a cell."""
        at = cell * self.rate.window_s / (_CELLS - 1)
        while self._cell(at) < cell:
            at = nextafter(at, inf)
        return at


def read(rate: str, spent: str) -> Meter:
    """Return a stored meter."""
    cells = (cell.partition(":") for cell in spent.split())
    return Meter(parse(rate), tuple((int(cell), int(count)) for cell, _, count in cells))
