"""What was measured, as values: a figure with its spread, a target with its verdict, a section of the report."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Figure(NamedTuple):
    """One thing measured several times."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return median(self.values)

    def text(self) -> str:
        """Return the median with the range, as `1,234 (1,200-1,300)`; of a single value, that."""
        if len(self.values) == 1:
            return number(self.median)
        return f"{number(self.median)} ({number(min(self.values))}-{number(max(self.values))})"


def number(value: float) -> str:
    """Return a number with about three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3f}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def paired(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of each round: what slows a whole round down does not count."""
    return median(one / other for one, other in zip(ours, theirs, strict=False))


class Target(NamedTuple):
    """What was hoped for, and what came out. `bound` says it for people; `is_met` is the verdict."""

    about: str
    measured: str
    bound: str
    is_met: bool


def at_least(about: str, value: float, bound: float, unit: str = "") -> Target:
    """Return the verdict on something that is to be high."""
    return Target(about, f"{number(value)}{unit}", f">= {number(bound)}{unit}", value >= bound)


def at_most(about: str, value: float, bound: float, unit: str = "") -> Target:
    """Return the verdict on something that is to be low."""
    return Target(about, f"{number(value)}{unit}", f"<= {number(bound)}{unit}", value <= bound)


class Table(NamedTuple):
    """Rows of text below a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Plot(NamedTuple):
    """Bars: a name with a value each; on a logarithmic scale when they lie far apart."""

    name: str
    title: str
    unit: str
    bars: Sequence[tuple[str, float]]


class Section(NamedTuple):
    """One measure's part of the report."""

    title: str
    how: str
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    targets: Sequence[Target] = ()
