"""The slow disk: `slow_fsync.c`, built when needed with the C compiler of this machine."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from benchmarks.places import CACHE, REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = REPOSITORY / "benchmarks" / "slow_fsync.c"


class ShimError(Exception):
    """The shim cannot be built here; the text says why and what to do."""


def build(source: Path = SOURCE) -> Path:
    """Return the shared library made of a source, built when that is newer. Raises ShimError."""
    library = CACHE / f"{source.stem}.so"
    if library.exists() and library.stat().st_mtime >= source.stat().st_mtime:
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise ShimError("needs a C compiler: apt-get install gcc libc6-dev")
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(source), "-ldl"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ShimError(f"{source.name} does not compile: {done.stderr.strip()}")
    return library


def environment(slow_us: int = 0, count_in: Path | None = None) -> dict[str, str]:
    """Return the variables under which a program's syncs take `slow_us` and are counted in a file."""
    variables = {"LD_PRELOAD": str(build()), "SLOW_FSYNC_US": str(slow_us)}
    return variables if count_in is None else {**variables, "SLOW_FSYNC_COUNT": str(count_in)}


def counted(file: Path) -> int:
    """Return how many syncs a file has counted."""
    return int.from_bytes(file.read_bytes()[:8], "little") if file.exists() else 0
