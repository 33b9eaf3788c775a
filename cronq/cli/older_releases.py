"""What waits in the state of an older release: `releases/2026-11-01` beside `releases/2026-12-01`.

A state directory inside the project's own is a new, empty one with every release, and what the one before had not done
stays where it was. Its file is only read, for whoever runs that release may still be at it.
"""

from __future__ import annotations

import os
import re
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from cronq.cli.database import database_of
from cronq.cli.text import count
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.config.settings import Settings

_MOST = 200  # directories that are looked at
_OF_RELEASES = frozenset({"releases", "versions", "deploys"})
_WAITING = """
SELECT count(*) FROM
(SELECT 1 FROM messages WHERE state IN ('ready', 'delayed', 'blocked', 'reserved') LIMIT 10000)
"""


class OlderRelease(NamedTuple):
    """A directory beside the project's own with messages that nobody of this release sees."""

    directory: str
    database: str
    waiting: int

    @property
    def text(self) -> str:
        """What a person should know."""
        return (
            f"{self.database} holds {count(self.waiting, 'message')} of another release, which nobody here sees: set "
            f"state_dir to one directory for all releases, outside of them, and let `cronq drain --config "
            f"{self.directory}/cronq.toml` finish the old ones"
        )


def older_releases(settings: Settings) -> Iterator[OlderRelease]:
    """Yield the directories beside the project's own whose queue of the same name has messages that wait."""
    base, database = os.path.realpath(settings.base_dir), database_of(settings)
    if database is None:
        return
    inside = os.path.relpath(os.path.realpath(database), base)
    if inside.startswith(os.pardir):
        return  # one place for all releases
    for directory in _beside(base):
        found = os.path.join(directory, inside)
        waiting = _waiting(found)
        if waiting:
            yield OlderRelease(directory, found, waiting)


def _beside(base: str) -> list[str]:
    """Return the directories of ours beside one that are numbered as it is; `current`, a link, is none of them."""
    parent, name = os.path.split(base)
    try:
        entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
    except OSError:  # not for us to look at
        return []
    numbered = [entry for entry in entries if entry.name != name and _is_numbered_alike(entry.name, name, parent)]
    return [
        entry.path
        for entry in numbered[:_MOST]
        if entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.geteuid()
    ]


def _is_numbered_alike(one: str, other: str, parent: str) -> bool:
    """Tell whether two names are those of releases: alike but for their digits, or both in a directory of releases."""
    if os.path.basename(parent) in _OF_RELEASES:
        return True
    return any(map(str.isdigit, one)) and re.sub(r"\d+", "#", one) == re.sub(r"\d+", "#", other)


def _waiting(database: str) -> int:
    """Count what waits in a file; 0 for what is no queue, or cannot be read."""
    if not os.path.isfile(database):
        return 0
    try:
        connection = sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True)
        try:
            return int(connection.execute(_WAITING).fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0
