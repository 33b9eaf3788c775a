"""The code of older schema versions, from this repository's own history: nothing else writes what they wrote.

A version that no commit of the main line ever had was a draft: nobody has a file of it.
"""

from __future__ import annotations

import functools
import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from cronq.transports.sqlite.version import VERSION

ROOT = Path(__file__).parents[2]
_VERSION_FILE = "cronq/transports/sqlite/version.py"


def what_is_missing() -> str | None:
    """Say in one line why the older code cannot be had here; None when it can."""
    if shutil.which("git") is None:
        return "needs git"
    try:
        is_shallow = _git("rev-parse", "--is-shallow-repository").strip() == b"true"
    except subprocess.CalledProcessError:
        return "needs a git checkout"
    return "needs the whole history, not a shallow clone" if is_shallow else None


def older() -> list[int]:
    """Return the schema versions before this one that the main line ever had."""
    return [] if what_is_missing() else sorted(version for version in _commits() if version < VERSION)


def unpack(version: int, place: Path) -> Path:
    """Write the last code that made files of a schema version below `place`: a directory for PYTHONPATH."""
    place.mkdir()
    archive = _git("archive", _commits()[version], "cronq", "wsgi_hooks")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(place, filter="data")
        else:  # Debian 12's Python 3.11.2
            tar.extractall(place)  # noqa: S202 - of git's own making
    return place


@functools.cache
def _commits() -> dict[int, str]:
    """Return the last commit of each schema version."""
    found: dict[int, str] = {}
    for commit in _git("rev-list", "--first-parent", "HEAD").decode().split():
        version = _version_at(commit)
        if version is not None:
            found.setdefault(version, commit)
    return found


def _version_at(commit: str) -> int | None:
    try:
        text = _git("show", f"{commit}:{_VERSION_FILE}").decode()
    except subprocess.CalledProcessError:
        return None
    match = re.search(r"^VERSION = (\d+)", text, re.MULTILINE)
    return int(match[1]) if match else None


def _git(*words: str) -> bytes:
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), *words]
    return subprocess.run(command, check=True, capture_output=True).stdout
