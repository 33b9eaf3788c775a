"""What tasks and producers wrote down, outside the disk that fails; and what it proves."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Entry(NamedTuple):
    """One effect: what, of which message, by which process."""

    verb: str
    number: int
    pid: int


class Ledger:
    """One line per effect: verb, message, pid. Appended by whoever has the effect, atomically.

    A producer writes `asked` before it enqueues, with a number never used before, and then `returned` or `refused`.
    Who kills, or hears of a kill, writes `killed` with the number 0.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = 0
        path.touch()
        path.chmod(0o666)

    def news(self) -> list[Entry]:
        """Return what was written since the last look."""
        with self.path.open("rb") as file:
            file.seek(self._known)
            text = file.read()
        self._known += len(text)
        return _entries(text)

    def note_kill(self, pid: int) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(b"killed 0 %d\n" % pid)

    def read(self) -> list[Entry]:
        return _entries(self.path.read_bytes())

    def how_many_ended(self) -> int:
        return len({entry.number for entry in self.read() if entry.verb == "end"})


def _entries(text: bytes) -> list[Entry]:
    return [Entry(verb, int(number), int(pid)) for verb, number, pid in map(str.split, text.decode().splitlines())]


class Account(NamedTuple):
    """The sum of it: of every number that was ever asked for, what became of it.

    `unanswered` are those whose producer died before it knew; such a message may be there or not. `repeated` were run
    to the end again because their process was killed then; `repeated_without_kill` though it was not, or though it had
    begun or ended another message before. `unasked` were run without having been asked for.
    """

    asked: int
    returned: int
    refused: int
    unanswered: int
    run: int
    failed_attempts: int
    lost: tuple[int, ...]
    refused_but_run: tuple[int, ...]
    unasked: tuple[int, ...]
    repeated: tuple[int, ...]
    repeated_without_kill: tuple[int, ...]
    overlapping: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"{self.asked} asked: {self.returned} returned, {self.refused} refused, {self.unanswered} unanswered; "
            f"lost {len(self.lost)}, refused but run {len(self.refused_but_run)}, run by two at once "
            f"{len(self.overlapping)}, run again after a kill {len(self.repeated)}, without one "
            f"{len(self.repeated_without_kill)}; {self.failed_attempts} failed attempts, {self.run} messages run"
        )

    def faults(self) -> list[str]:
        wrong = {
            "lost": self.lost,
            "run by two at once": self.overlapping,
            "run again without a kill": self.repeated_without_kill,
            "refused but run": self.refused_but_run,
            "run unasked": self.unasked,
        }
        return [f"{name}: {numbers[:20]}" for name, numbers in wrong.items() if numbers]


def account(ledger: Ledger) -> Account:
    """Judge when nothing runs any more and nothing is left to do."""
    entries = ledger.read()
    numbers: dict[str, set[int]] = defaultdict(set)
    ended: dict[int, list[int]] = defaultdict(list)
    failed_attempts = 0
    for index, (verb, number, _) in enumerate(entries):
        numbers[verb].add(number)
        failed_attempts += verb == "fail"
        if verb == "end":
            ended[number].append(index)
    asked, returned, refused = numbers["asked"], numbers["returned"], numbers["refused"]
    interrupted = _interrupted(entries)
    again = [(number, index) for number, indices in ended.items() for index in indices[:-1]]
    return Account(
        len(asked),
        len(returned),
        len(refused),
        len(asked - returned - refused),
        len(ended),
        failed_attempts,
        lost=_sorted(returned - ended.keys()),
        refused_but_run=_sorted(refused & numbers["begin"]),
        unasked=_sorted(numbers["begin"] - asked),
        repeated=tuple(number for number, index in again if index in interrupted),
        repeated_without_kill=tuple(number for number, index in again if index not in interrupted),
        overlapping=_sorted(numbers["overlap"]),
    )


def _interrupted(entries: Sequence[Entry]) -> set[int]:
    """Return which entries are the last of a process that was killed: no other may be made again.

    The kill is written down before the process is gone, so its last entry may come after that; numbers of processes
    are used again, so no others do.
    """
    of_process: dict[int, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        of_process[entry.pid].append(index)
    beside = set()
    for indices in of_process.values():
        for one, other in pairwise(indices):
            if entries[one].verb == "killed":
                beside.add(other)
            if entries[other].verb == "killed":
                beside.add(one)
    return beside


def _sorted(numbers: set[int]) -> tuple[int, ...]:
    return tuple(sorted(numbers))
