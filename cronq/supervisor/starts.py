"""What became of the consumers that ticks have started: hosts end some at once, and have no room for others."""

from __future__ import annotations

from cronq.host.process import boot_id
from cronq.host.state_dir import read_text, replace_text
from cronq.namedtuple import NamedTuple
from cronq.supervisor.slots import survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cronq.host.state_dir import StateDir
    from cronq.supervisor.slots import Seen

COMES_WITHIN_S = 10.0  # from its start to its slot; a busy host takes a second or two
MANY = 3  # in a row; one alone may have met a stop, or a host that was busy


class Starts(NamedTuple):
    """A group's starts. `at` is that of the last one (monotonic; 0: none since the boot).

    `unseen` of those before it, in a row, were of consumers that nobody ever saw; `refused`, since, had no room.
    """

    at: float = 0.0
    unseen: int = 0
    refused: int = 0


def after_start(before: Starts, seen: Sequence[Seen], monotonic: float) -> Starts:
    """Return what is known after one more start of a group whose slots were `seen` since."""
    return Starts(monotonic, unseen(before, seen, monotonic))


def unseen(starts: Starts, seen: Sequence[Seen], monotonic: float) -> int:
    """Return how many starts in a row, up to the last one, brought nobody."""
    if not starts.at or any(one.is_live or _has_begun(one, starts.at) for one in seen):
        return 0
    return starts.unseen + (monotonic - starts.at > COMES_WITHIN_S)


def _has_begun(seen: Seen, at: float) -> bool:
    return seen.note is not None and seen.note.holder.boot == boot_id() and seen.note.begun >= at


def note(state: StateDir, at: float, started: Collection[str], refused: Collection[str]) -> bool:
    """Write down for which groups a tick that began `at` has started consumers, or could not.

    Tell whether that brings nobody, again and again. Raises OSError.
    """
    known, seen = read(state), survey(state)
    for group in started:
        of_group = [one for one in seen if one.group == group]
        known[group] = after_start(known.get(group, Starts()), of_group, at)
    for group in refused:
        before = known.get(group, Starts())
        known[group] = before._replace(refused=before.refused + 1)
    _write(state, known)
    return any(max(known[group].unseen, known[group].refused) >= MANY for group in (*started, *refused))


def read(state: StateDir) -> dict[str, Starts]:
    """Return what is known since the last boot, by group."""
    boot, *lines = (read_text(state.starts) or "").splitlines() or [""]
    found = {}
    for line in lines if boot == boot_id() else []:
        try:
            group, at, missed, refused = line.split(" ")
            found[group] = Starts(float(at), int(missed), int(refused))
        except ValueError:
            continue  # a line cut off by a full disk
    return found


def _write(state: StateDir, known: Mapping[str, Starts]) -> None:
    lines = (f"{group} {one.at:.3f} {one.unseen} {one.refused}" for group, one in known.items())
    replace_text(state.starts, "\n".join([boot_id(), *lines]) + "\n")
