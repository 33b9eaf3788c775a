"""Directories of temporary files, which all users of a host share: which of them may hold a state directory.

There it is as safe as in a home when nobody else can take the place of any directory above it: each belongs to us or
to root, and others cannot write in it, or only add to it (the sticky bit); and one of ours is closed to all others.
"""

from __future__ import annotations

import errno
import os
import stat

from cronq.errors import StateDirError
from cronq.host.process import HAS_OWNERS, user_name
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - named in order to be looked at closely
_MOST_LINKS = 40  # as the kernel follows
_OTHERS_WRITE = 0o022


class _Step(NamedTuple):
    """A directory or a symbolic link on the way to a path."""

    path: str
    found: os.stat_result


def shared_place_of(path: str) -> str | None:
    """Return the directory of temporary files that `path` lies in, as it is written or where its links lead."""
    for one in (os.path.abspath(path), os.path.realpath(path)):
        for place in _SHARED:
            if one == place or one.startswith(f"{place}/"):
                return place
    return None


def refuse_what_others_can_replace(path: str) -> None:
    """Raise StateDirError for a state directory in a shared place that is not as safe there as in a home.

    Raises OSError when a directory above it cannot be looked at.
    """
    place = shared_place_of(path) if HAS_OWNERS else None
    if place is None:
        return
    if os.path.realpath(path) == os.path.realpath(place):
        raise StateDirError(f"{path}: {place} is shared by all users of the host: set another state_dir")
    steps = _steps_to(os.path.dirname(path) or ".")
    for step in steps:
        _refuse_step(path, step)
    _refuse_parent(path, place, steps)


def refuse_temporary(state_dir: str) -> None:
    """Raise StateDirError where temporary files are kept: no place for what is to work from now on."""
    place = shared_place_of(state_dir)
    if place is not None:
        raise StateDirError(f"{state_dir}: {why_not_to_stay(place)}")


def why_not_to_stay(place: str) -> str:
    """Say why a queue in a directory of temporary files is one for tests only."""
    return (
        f"lies in {place}, which is emptied by restarts and cleaners, locks included, so that a message may be lost or "
        f"run twice: good for tests (`cronq drain` works there), not for cron: set another state_dir"
    )


def _refuse_step(path: str, step: _Step) -> None:
    mode = step.found.st_mode
    if step.found.st_uid not in {0, os.geteuid()}:
        kind = "symbolic link" if stat.S_ISLNK(mode) else "directory"
        raise StateDirError(
            f"{path}: the {kind} {step.path} on the way there is {user_name(step.found.st_uid)}'s, who can put "
            f"another in its place: set another state_dir"
        )
    if stat.S_ISDIR(mode) and mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        raise StateDirError(
            f"{path}: {step.path} above it has mode {stat.S_IMODE(mode):04o}, so others can put another directory in "
            f"its place: chmod go-w {step.path}, or set another state_dir"
        )


def _refuse_parent(path: str, place: str, steps: Sequence[_Step]) -> None:
    parent = steps[-1]
    if parent.found.st_mode & _OTHERS_WRITE:
        raise StateDirError(
            f"{path}: {parent.path} is shared by all users of the host, and whoever comes first can take a name in it: "
            f"set another state_dir; for a test, one in a directory of its own (pytest's tmp_path, tempfile.mkdtemp())"
        )
    around = [one for one in steps if f"{parent.path}/".startswith(f"{one.path}/")]
    if not any(_is_private(one) for one in around):
        below = f"{os.path.realpath(place)}/"
        ours = [one.path for one in around if one.path.startswith(below) and one.found.st_uid == os.geteuid()]
        mend = f"chmod 700 {ours[0]}, or set" if ours else "set"
        raise StateDirError(
            f"{path}: lies in {place}, which is shared by all users of the host, and no directory above it is closed "
            f"to the others: {mend} another state_dir"
        )


def _is_private(step: _Step) -> bool:
    mode = step.found.st_mode
    return stat.S_ISDIR(mode) and step.found.st_uid == os.geteuid() and not mode & 0o077


def _steps_to(directory: str) -> list[_Step]:
    """Return every directory and link that the kernel looks at on the way to `directory`, which comes last.

    Raises OSError, as the kernel does: a part that is missing now may be there in a moment, and somebody else's.
    """
    here, links = "/", 0
    steps = [_Step("/", os.lstat("/"))]
    ahead = os.path.join(os.getcwd(), directory).split("/")[::-1]
    while ahead:
        name = ahead.pop()
        if name in {"", ".", ".."}:
            here = os.path.dirname(here) if name == ".." else here
            continue
        path = os.path.join(here, name)
        steps.append(_Step(path, os.lstat(path)))
        if not stat.S_ISLNK(steps[-1].found.st_mode):
            here = path
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(path)
        here = "/" if target.startswith("/") else here
        ahead += target.split("/")[::-1]
    return [*steps, _Step(here, os.lstat(here))]
