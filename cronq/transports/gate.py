"""Which ready messages may run now, and what the others have to wait for. Pure: a transport brings what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages import reasons
from cronq.messages.rate import Meter
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from cronq.messages.message import Message
    from cronq.messages.rate import Rate


class Candidate(NamedTuple):
    """A message that may be reserved: a ready one, or one that is `blocked_by` a rate that has room again."""

    message: Message
    blocked_by: str | None = None


class Known(NamedTuple):
    """What a gate asks its transport: how many of a running key are reserved, and the stored meter of a rate."""

    running: Callable[[str], int]
    meter: Callable[[str], Meter | None]


class Gate:
    """Looks at the messages of one reservation, one after the other; those it has let through count for the next."""

    def __init__(self, paused: Collection[str], rates: Mapping[str, Rate], known: Known, now: float) -> None:
        self._paused = paused
        self._rates = rates
        self._known = known
        self._now = now
        self._running: dict[str, int] = {}
        self.meters: dict[str, Meter] = {}
        """Those that were looked at, as they are to be stored."""

    def refuses(self, message: Message) -> str | None:
        """Return what the message has to wait for, None when it may run: then it counts from now on."""
        if self._paused and reasons.paused_task(message.task) in self._paused:
            return reasons.paused_task(message.task)
        if message.running_key is not None and self._count(message.running_key) >= message.max_running > 0:
            return reasons.running(message.running_key)
        rates = self._rates_of(message)
        for name in rates:
            if not self.room(name):
                return reasons.rate(name)
        for name in rates:
            self.meters[name] = self.meters[name].spend(self._now)
        if message.running_key is not None:
            self._running[message.running_key] += 1
        return None

    def room(self, name: str) -> float:
        """Return how many more a rate allows now; without end when it is no longer in force."""
        rate = self._rates.get(name)
        if rate is None:
            return float("inf")
        if name not in self.meters:
            stored = self._known.meter(name)
            self.meters[name] = (Meter(rate) if stored is None else stored.under(rate)).at(self._now)
        return self.meters[name].room(self._now)

    def may_pass(self, candidate: Candidate) -> bool:
        """Tell whether it is worth looking at a candidate: ready ones are, others while their rate has room."""
        by = candidate.blocked_by
        return by is None or self.room(by.removeprefix(reasons.RATE)) > 0

    def _rates_of(self, message: Message) -> list[str]:
        if not self._rates:
            return []
        names = (reasons.task_rate(message.task), reasons.queue_rate(message.queue))
        return [name for name in names if name in self._rates]

    def _count(self, key: str) -> int:
        if key not in self._running:
            self._running[key] = self._known.running(key)
        return self._running[key]


class Sifted(NamedTuple):
    """What came through, what was turned away with the reason, and what nobody has looked at."""

    taken: list[Message]
    refused: list[tuple[Message, str]]
    left: Sequence[Candidate]
    is_batch: bool = False

    @property
    def passed_by(self) -> list[str]:
        """The running keys of those that were refused for another reason, and so make room for the next of the key."""
        refused = [one.running_key for one, why in self.refused if not why.startswith(reasons.RUNNING)]
        return [key for key in refused if key is not None]


def sift(
    candidates: Sequence[Candidate],
    wanted: int,
    gate: Gate,
    gathered: Callable[[Message], Sequence[Message]],
    has_taken: bool = False,
) -> Sifted:
    """Let up to `wanted` of the candidates through, in their order.

    A message that others are to be run with comes with these, and alone: never when something was taken before.
    What waits for a rate is passed over, and goes on waiting for it, as soon as the rate has no more room: a transport
    need bring no more of them than that, however many there are.
    """
    taken: list[Message] = []
    refused: list[tuple[Message, str]] = []
    for number, candidate in enumerate(candidates):
        message, blocked_by = candidate
        if not gate.may_pass(candidate):
            continue
        if len(taken) >= wanted or (message.gather and (taken or has_taken)):
            return Sifted(taken, refused, candidates[number:])
        why = gate.refuses(message)
        if why is not None:
            if why != blocked_by:
                refused.append((message, why))
        elif message.gather:
            batch = _batch(message, gate, gathered(message), refused)
            met = {one.id for one in (*batch, *(one for one, _ in refused))}
            left = [one for one in candidates[number + 1 :] if one.message.id not in met]
            return Sifted(batch, refused, left, is_batch=True)
        else:
            taken.append(message)
    return Sifted(taken, refused, ())


def _batch(first: Message, gate: Gate, others: Sequence[Message], refused: list[tuple[Message, str]]) -> list[Message]:
    batch = [first]
    for one in others:
        if len(batch) == first.gather:
            break
        why = gate.refuses(one)
        if why is None:
            batch.append(one)
        else:
            refused.append((one, why))
    return sorted(batch, key=lambda one: one.id)
