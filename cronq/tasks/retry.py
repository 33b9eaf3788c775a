"""What happens after a failed attempt: a pure decision."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronq.errors import GiveUp, OptionError, RetryLater, TaskStopped
from cronq.namedtuple import NamedTuple
from cronq.tasks.module_name import full_name, settled
from cronq.units import in_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

ErrorClass = type[BaseException] | str


class Again(NamedTuple):
    """Try once more, after `delay_s` seconds."""

    delay_s: float


class Enough(NamedTuple):
    """No further attempt."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `max_attempts` attempts (0: without end), waiting longer each time.

    The wait after attempt n is `delay_s * multiplier ** (n - 1)`, at most `max_delay_s`, spread by +-`jitter` of
    itself: `Retry(5, delay_s=10)` waits about 10, 20, 40 and 80 seconds.

    `give_up_on` are exceptions after which no further attempt makes sense; with `retry_on` only these are retried.
    Classes, or their names: `ConnectionError`, `"ConnectionError"`, `"shop.errors.NoSuchUser"`; subclasses count.
    What a task asks for comes first (GiveUp, RetryLater), then `give_up_on`, then `retry_on`.

    Raises OptionError for a policy that cannot be meant.
    """

    max_attempts: int = 3
    delay_s: float = 1.0
    multiplier: float = 2.0
    max_delay_s: float = 3600.0
    jitter: float = 0.1
    retry_on: Sequence[ErrorClass] = ()
    give_up_on: Sequence[ErrorClass] = ()

    if TYPE_CHECKING:  # what is given may be a timedelta, what is kept is seconds

        def __init__(  # noqa: PLR0913, PLR0917 - the fields
            self,
            max_attempts: int = 3,
            delay_s: float | timedelta = 1.0,
            multiplier: float = 2.0,
            max_delay_s: float | timedelta = 3600.0,
            jitter: float = 0.1,
            retry_on: Sequence[ErrorClass] = (),
            give_up_on: Sequence[ErrorClass] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        for name in ("delay_s", "max_delay_s"):
            object.__setattr__(self, name, in_seconds(getattr(self, name)))
        for name, lowest, highest in _BOUNDS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
                raise OptionError(f"Retry: {name} = {value!r}: must be a number from {lowest} to {highest}")
        if not isinstance(self.max_attempts, int):
            raise OptionError(f"Retry: max_attempts = {self.max_attempts!r}: must be a whole number")
        for name in ("retry_on", "give_up_on"):
            _check_classes(name, getattr(self, name))

    def decide(self, attempt: int, error: BaseException, spread: float | None = None) -> Again | Enough:
        """Say what follows attempt number `attempt` (from 1) that ended in `error`.

        `spread` from 0 to 1 places the wait within its jitter; drawn at random when None.
        """
        if isinstance(error, GiveUp | TaskStopped):
            return Enough()
        wanted_s = getattr(error, "delay_s", None) if isinstance(error, RetryLater) else None  # a subclass may lack it
        if wanted_s is not None:
            return Again(wanted_s) if self._allows(attempt) else Enough()
        if not self._allows(attempt) or not self._retries(error):
            return Enough()
        drawn = random.random() if spread is None else spread  # noqa: S311 - jitter, not a secret
        return Again(self._delay_s(attempt) * (1 + self.jitter * (2 * drawn - 1)))

    def _allows(self, attempt: int) -> bool:
        return self.max_attempts == 0 or attempt < self.max_attempts

    def _retries(self, error: BaseException) -> bool:
        """Tell whether an exception of this class is worth another attempt."""
        if isinstance(error, RetryLater):
            return True
        if any(_is_a(error, one) for one in self.give_up_on):
            return False
        return not self.retry_on or any(_is_a(error, one) for one in self.retry_on)

    def _delay_s(self, attempt: int) -> float:
        growth = float(self.multiplier) ** min(attempt - 1, 64)
        return min(self.delay_s * growth, self.max_delay_s)


_DAY_S = 86400
_BOUNDS = (
    ("max_attempts", 0, 1_000_000),
    ("delay_s", 0, 365 * _DAY_S),
    ("multiplier", 1, 100),
    ("max_delay_s", 0, 365 * _DAY_S),
    ("jitter", 0, 1),
)
_IN_FUNCTIONS = ("<locals>", "<lambda>")  # in the full name of a class that a function has made


def _check_classes(name: str, given: object) -> None:
    if not isinstance(given, tuple | list):
        raise OptionError(
            f"Retry: {name} = {given!r}: must be a tuple of exception classes, such as (ConnectionError,)"
        )
    for one in given:
        is_named = isinstance(one, str) and is_class_name(one)
        if not is_named and not (isinstance(one, type) and issubclass(one, BaseException)):
            raise OptionError(f"Retry: {name} has {one!r}: must be an exception class, or the name of one")
        if isinstance(one, type) and issubclass(one, GiveUp | RetryLater):
            raise OptionError(f"Retry: {name} has {one.__name__}, which says itself what follows: leave it out")


def is_class_name(text: str) -> bool:
    """Tell whether a text can name a class: `ValueError`, or with its module, `shop.errors.NoSuchUser`."""
    return all(part.isidentifier() or part in _IN_FUNCTIONS for part in text.split("."))


def _is_a(error: BaseException, wanted: ErrorClass) -> bool:
    if isinstance(wanted, str):
        named = settled(wanted)
        return any(named in {base.__name__, full_name(base)} for base in type(error).__mro__)
    return isinstance(error, wanted)
