"""When a consumer has done enough. One small object per limit; the loop only asks `reason()`.

A limit of `[[consumers]]` is a class here and an entry in cronq/config/limit_keys.py, under one name.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from cronq.config.limit_keys import DEFAULTS
from cronq.consumer.slices import last_look
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeVar

    from cronq.clock import Clock
    from cronq.consumer.tally import Tally

    Made = TypeVar("Made", bound="Configured")

MEMORY_LOOK_S = 0.2
MAKES_ROOM = "idle, and every place of the account is taken"


class LimitFacts(NamedTuple):
    """What limits are made of beside their values. `deadline` is in monotonic seconds.

    `is_wanted` tells whether others want the place of an idle consumer; None where it may stay anyway.
    """

    clock: Clock
    deadline: float
    memory_mb: Callable[[], float]
    is_wanted: Callable[[], bool] | None


class Limit(Protocol):
    """One reason to leave."""

    def reason(self, tally: Tally) -> str | None:
        """Say why the consumer should leave now; None to go on."""

    def comes_at(self, tally: Tally) -> float | None:
        """Return when to ask again though nothing has happened, in monotonic seconds; None for no time ahead.

        An idle consumer sleeps no longer than until then.
        """


class Configured(Protocol):
    """A limit that a group's configuration may set."""

    @classmethod
    def from_settings(cls, value: Any, facts: LimitFacts) -> Limit | None:
        """Return the limit for a value of Group.limits; None when there is none to keep."""


_configured: dict[str, type[Configured]] = {}


def limits_of(values: Mapping[str, Any], facts: LimitFacts) -> list[Limit]:
    """Return the limits of a group, whose values they are, as objects."""
    made = (kind.from_settings(values[name], facts) for name, kind in _configured.items())
    return [limit for limit in made if limit is not None]


def configured_by(name: str) -> Callable[[type[Made]], type[Made]]:
    """Have a class make the limit that limit_keys.py calls `name`. They are asked in the order of their classes."""

    def register(kind: type[Made]) -> type[Made]:
        _configured[name] = kind
        return kind

    return register


@configured_by("time_limit_s")
class TimeLimit:
    """Leave at `deadline`, in monotonic seconds; before it, when a slice has ended and the next would be too short."""

    def __init__(self, deadline: float, clock: Clock) -> None:
        self.deadline = deadline
        self._clock = clock
        self._last_look = last_look(deadline, clock.monotonic())

    @classmethod
    def from_settings(cls, value: object, facts: LimitFacts) -> TimeLimit:
        """The deadline comes of the value, and others keep it as well."""
        return cls(facts.deadline, facts.clock)

    def reason(self, tally: Tally) -> str | None:
        if self._clock.monotonic() >= self.deadline:
            return "time limit reached"
        if tally.sliced_at is not None and tally.sliced_at >= self._last_look:
            return "time limit nearly reached: no time for another slice"
        return None

    def comes_at(self, tally: Tally) -> float | None:
        return self.deadline


@configured_by("limit")
class MessageLimit(NamedTuple):
    """Leave after so many messages: what leaks goes with the process."""

    most: int

    @classmethod
    def from_settings(cls, value: int | None, facts: LimitFacts) -> MessageLimit | None:
        return None if value is None else cls(value)

    def reason(self, tally: Tally) -> str | None:
        return f"{self.most} messages run" if tally.messages >= self.most else None

    def comes_at(self, tally: Tally) -> float | None:
        return None


@configured_by("failure_limit")
class FailureLimit(NamedTuple):
    """Leave after so many failed attempts: something around the tasks may be broken."""

    most: int

    @classmethod
    def from_settings(cls, value: int | None, facts: LimitFacts) -> FailureLimit | None:
        return None if value is None else cls(value)

    def reason(self, tally: Tally) -> str | None:
        return f"{self.most} attempts failed" if tally.failures >= self.most else None

    def comes_at(self, tally: Tally) -> float | None:
        return None


@configured_by("memory_limit_mb")
class MemoryLimit:
    """Leave when the process has grown past `most_mb` of resident memory; looked at a few times a second."""

    def __init__(self, most_mb: float, memory_mb: Callable[[], float], clock: Clock) -> None:
        self._most_mb = most_mb
        self._memory_mb = memory_mb
        self._clock = clock
        self._next_look = clock.monotonic()

    @classmethod
    def from_settings(cls, value: int | None, facts: LimitFacts) -> MemoryLimit:
        """Memory is looked at without a limit, too: it explains deaths."""
        return cls(inf if value is None else value, facts.memory_mb, facts.clock)

    def reason(self, tally: Tally) -> str | None:
        if self._clock.monotonic() < self._next_look:
            return None
        self._next_look = self._clock.monotonic() + MEMORY_LOOK_S
        used = self._memory_mb()
        return f"memory limit reached ({used:.0f} of {self._most_mb:.0f} MB)" if used >= self._most_mb else None

    def comes_at(self, tally: Tally) -> float | None:
        return None


@configured_by("linger_s")
class IdleLimit:
    """Leave after `most_s` without work when the place is wanted by others."""

    def __init__(self, most_s: float, is_wanted: Callable[[], bool], clock: Clock) -> None:
        self._most_s = most_s
        self._is_wanted = is_wanted
        self._clock = clock

    @classmethod
    def from_settings(cls, value: float, facts: LimitFacts) -> IdleLimit | None:
        return None if facts.is_wanted is None else cls(value, facts.is_wanted, facts.clock)

    def reason(self, tally: Tally) -> str | None:
        if tally.idle_since is None or self._clock.monotonic() - tally.idle_since < self._most_s:
            return None
        return MAKES_ROOM if self._is_wanted() else None

    def comes_at(self, tally: Tally) -> float | None:
        """Return when it has been idle for long enough; past that it is asked whenever the consumer looks."""
        if tally.idle_since is None:
            return None
        at = tally.idle_since + self._most_s
        return at if at > self._clock.monotonic() else None


def refuse_mismatch(declared: Collection[str], made: Collection[str]) -> None:
    """Raise TypeError unless every limit that the configuration knows is made by a class here, and the reverse."""
    for name in declared:
        if name not in made:
            raise TypeError(
                f"the limit {name} of cronq/config/limit_keys.py does nothing: "
                f'give cronq/consumer/limits.py a class with @configured_by("{name}")'
            )
    for name in made:
        if name not in declared:
            raise TypeError(
                f"the limit {name} of cronq/consumer/limits.py cannot be set: "
                f'give cronq/config/limit_keys.py an entry LimitKey("{name}", ...)'
            )


refuse_mismatch(DEFAULTS, _configured)
