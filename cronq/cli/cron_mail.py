"""What a tick prints for cron to mail: only what is new, with exit code 1; and on a terminal all there is."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cronq.cli.error_text import complaint
from cronq.errors import CronqError
from cronq.escape import escaped
from cronq.host.own_file import read_own, write_own
from cronq.host.state_dir import read_text
from cronq.supervisor import bulletin as bulletins
from cronq.supervisor.bulletin import Trouble, bulletin, tick_failed
from cronq.supervisor.status import look, rooms_of
from cronq.supervisor.tick import is_pressure
from cronq.supervisor.troubles import is_undecided, keys_of, of_rooms, troubles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.supervisor.bulletin import Standing
    from cronq.supervisor.status import Status
    from cronq.supervisor.tick import Supervisor

_TOLD_ONCE = "(told once, and when it is well again; `cronq {}` says how it stands)"


def refused(outside: str, error: CronqError, now: float) -> int:
    """Tell that a tick could not begin, unless that was told; `outside` is where that is remembered."""
    found = [Trouble("refused", complaint(error))]
    if sys.stderr.isatty():
        _print([one.text for one in found])
        return error.exit_code
    return _tell_outside(outside, found, now)


def failed(supervisor: Supervisor, outside: str, error: CronqError | OSError | MemoryError) -> int:
    """Tell that a tick failed, unless that was told. That the host was busy is not worth a mail, but a full disk is."""
    found = [*of_rooms(rooms_of(supervisor.state))] if is_pressure(error) else [tick_failed(_said(error))]
    standing, keys = _standing(supervisor), {one.key for one in found}
    others = [Trouble(key, one.what) for key, one in standing.items() if key not in keys]  # nobody looked for them
    return _tell(supervisor, outside, standing, [*others, *found])


def ticked(supervisor: Supervisor, outside: str, happened: Sequence[Mapping[str, object]]) -> int:
    """Tell what has broken and what is well again since it was told, and what `happened` in this tick.

    `outside` is where a tick that could not begin remembered that.
    """
    told = _print([str(facts["reason"]) for facts in happened]) | _began_again(outside, supervisor.clock.now())
    try:
        status = look(supervisor.settings, supervisor.state, supervisor.transport, supervisor.clock)
    except (CronqError, OSError) as error:
        return told | failed(supervisor, outside, error)
    standing = _standing(supervisor)
    return told | _tell(supervisor, outside, standing, _found(status, standing))


def _said(error: CronqError | OSError | MemoryError) -> str:
    if isinstance(error, CronqError):
        return complaint(error)
    is_of_file = isinstance(error, OSError) and error.filename is not None
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and is_of_file else str(error)


def _found(status: Status, standing: Mapping[str, Standing]) -> list[Trouble]:
    """Return what stands now, with all that `cronq status` sees. That ticks failed is over: this one did not.

    What a start that is on its way will show is neither come nor over yet.
    """
    found = troubles(status._replace(cron=status.cron._replace(complaint=None)))
    open_keys = {key for group in status.groups if is_undecided(group) for key in keys_of(group)}
    kept = [Trouble(key, one.what) for key, one in standing.items() if key in open_keys]
    return [*kept, *(one for one in found if one.is_mailed and one.key not in open_keys)]


def _began_again(outside: str, now: float) -> int:
    content = read_own(outside)
    if content is None:
        return 0
    os.unlink(outside)
    return _print(bulletin(bulletins.from_text(content.decode(errors="replace")), [], now).lines)


def _standing(supervisor: Supervisor) -> dict[str, Standing]:
    try:
        return bulletins.from_text(read_text(supervisor.state.told) or "")
    except OSError:  # something else is in its place
        return {}


def _tell(supervisor: Supervisor, outside: str, standing: Mapping[str, Standing], found: Sequence[Trouble]) -> int:
    if sys.stderr.isatty():
        return _print([one.text for one in found])
    new = bulletin(standing, found, supervisor.clock.now())
    try:
        bulletins.write(supervisor.state.told, new.standing)
    except OSError as error:
        if is_pressure(error):
            return 0  # what cannot be noted would be told every minute
        return _tell_outside(outside, found, supervisor.clock.now())
    is_news = set(new.standing) - set(standing) != set()
    return _print([*new.lines, *([_TOLD_ONCE.format("status")] if is_news else [])])


def _tell_outside(outside: str, found: Sequence[Trouble], now: float) -> int:
    """Tell what the state directory cannot remember, which may be the very trouble."""
    new = bulletin(bulletins.from_text((read_own(outside) or b"").decode(errors="replace")), found, now, reworded_s=0.0)
    if not new.lines:
        return 0
    try:
        write_own(outside, bulletins.as_text(new.standing).encode())
    except OSError:
        pass  # nor can anything else: it is told every time
    return _print([*new.lines, _TOLD_ONCE.format("check")])


def _print(texts: Sequence[str]) -> int:
    """Print for cron to mail, and return the exit code that goes with it."""
    for line in (line for text in texts for line in text.splitlines()):
        sys.stderr.write(f"cronq tick: {escaped(line)}\n")
    return int(bool(texts))
