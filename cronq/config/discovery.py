"""Where a cronq.toml is looked for that code names by a relative path: nobody knows a web server's working directory.

From the directory of that code upwards, then in the working directory. A project ends where a home, another owner's
directories or another file system begin, or where its `.git` or `pyproject.toml` lies: nothing above is looked at.
Directories are not asked who can write in them: who can, can replace the code beside the file as well.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cronq.config.file import working_dir
from cronq.errors import ConfigError
from cronq.host.ownership import distrust
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDS = (".git", "pyproject.toml")
"""What lies in the topmost directory of a project."""


class Sought(NamedTuple):
    """What was looked for, every place that was looked at, and the file there, if there is one."""

    name: str
    places: tuple[str, ...]
    found: str | None

    def there(self) -> str:
        """Return the file. Raises ConfigError, which lists all places, when there is none."""
        if self.found is None:
            looked = "".join(f"\n  {place}" for place in self.places)
            raise ConfigError(
                f"{self.name}: there is no such file; name it by its absolute path, put it into the directory that "
                f'holds the package, or write one there with "cronq init". Looked at:{looked}'
            )
        return self.found


def search(name: str, caller: str | None) -> Sought:
    """Look for the relative path `name`, which the code in the file `caller` gives (None: code without a file).

    Raises ConfigError for a file that belongs to somebody else, or that somebody else can write.
    """
    directories = [*_directories_of(caller, climbs=".." not in name.split(os.sep)), working_dir()]
    places = tuple(dict.fromkeys(os.path.normpath(os.path.join(one, name)) for one in directories))
    found = next(filter(os.path.lexists, places), None)
    if found is not None:
        _refuse_others(found)
    return Sought(name, places, found)


def _directories_of(caller: str | None, *, climbs: bool) -> Iterator[str]:
    """Yield where to look: by the path that the code is known by, then by where the links in that path lead."""
    if not caller:
        return
    directory = os.path.dirname(os.path.abspath(caller))
    for one in (directory, os.path.realpath(directory)):
        yield from _upwards(one) if climbs else [one]


def _upwards(directory: str) -> Iterator[str]:
    home = os.path.realpath(os.path.expanduser("~"))
    try:
        first = os.stat(directory)
        while True:
            yield directory
            above = os.path.dirname(directory)
            if _ends_project(directory) or os.path.realpath(directory) == home or above == directory:
                return
            found = os.stat(above)
            if (found.st_uid, found.st_dev) != (first.st_uid, first.st_dev):
                return
            directory = above
    except OSError:  # not ours to look at
        return


def _ends_project(directory: str) -> bool:
    return any(os.path.lexists(os.path.join(directory, name)) for name in ENDS)


def _refuse_others(path: str) -> None:
    """Refuse a file, or a link to one, of somebody else. What is opened in the end is looked at once more."""
    try:
        why = distrust(os.lstat(path)) or distrust(os.stat(path))
    except OSError:
        return  # gone, or a link that leads nowhere: reading it says so
    if why is not None:
        raise ConfigError(f"{path}: {why.format(path=path)}")
