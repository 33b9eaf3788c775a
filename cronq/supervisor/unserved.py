"""Tasks that wait for a consumer which a web process could not start: told until one has been there since."""

from __future__ import annotations

from cronq.host.state_dir import read_text, replace_text
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.host.state_dir import StateDir
    from cronq.supervisor.slots import Seen


class Unserved(NamedTuple):
    """The tasks that take longer than a web process may work (`limit_s`), as a request found at `at` (wall seconds)."""

    at: float
    limit_s: float
    tasks: tuple[str, ...]

    @property
    def text(self) -> str:
        """What a person should know, and do."""
        return (
            f"{', '.join(self.tasks)}: take longer than a web process may work ({self.limit_s:.0f} s), and no consumer "
            f"could be started: let cron run `cronq tick --run`, raise [inline] time_limit, or cut the work into "
            f"slices (context.continue_later)"
        )


def note(state: StateDir, now: float, limit_s: float, tasks: Sequence[str]) -> None:
    """Note what a request had to leave. Raises OSError."""
    replace_text(state.unserved, "\n".join([f"{now:.3f} {limit_s:.3f}", *tasks, ""]))


def unserved(state: StateDir, seen: Sequence[Seen]) -> Unserved | None:
    """Return what was noted, None when nothing was, or a consumer has begun since."""
    head, *tasks = (read_text(state.unserved) or "").splitlines() or [""]
    try:
        at, limit_s = map(float, head.split())
    except ValueError:
        return None
    notes = [one.note for one in seen if one.note is not None and not one.is_inline]
    came_since = any(note.begun_at > at for note in notes) or any(one.live_note for one in seen if not one.is_inline)
    return None if came_since or not tasks else Unserved(at, limit_s, tuple(tasks))
