"""Where benchmarks keep things: virtual environments that stay, working directories that go. Ignored by git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cronq.host.shared_places import shared_place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("BENCHMARKS_CACHE") or REPOSITORY / ".benchmarks")


def python_of(venv: str, packages: Sequence[str]) -> str:
    """Return the Python of a virtual environment with these packages, made on first use. Raises OSError."""
    place = CACHE / "venvs" / venv
    stamp, wanted = place / "installed", "\n".join(packages)
    python = str(place / "bin" / "python")
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    done = subprocess.run(install, check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"pip install {' '.join(packages)}: {done.stderr.strip().splitlines()[-1]}")
    stamp.write_text(wanted)
    return python


@contextmanager
def work_directory() -> Iterator[Path]:
    """Make a directory to work in, on the disk the checkout is on, and remove it.

    Of a checkout among temporary files, where ticks refuse to work, it is made in the home.
    """
    base = CACHE / "work" if shared_place_of(str(CACHE)) is None else Path.home() / ".cache" / "cronq-benchmarks"
    base.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
