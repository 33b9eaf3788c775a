"""The user's crontab, read and written by the `crontab` program, and the command that belongs into it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from cronq.cli import cronline
from cronq.errors import CronqError
from cronq.host.state_dir import StateDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.config.settings import Settings

PATIENCE_S = 30.0


class CrontabError(CronqError):
    """The crontab program is missing, forbidden, or failed; the crontab is as it was."""


def tick_line(settings: Settings, every: int = 1, with_flock: bool = False) -> str:
    """Return the crontab line that ticks this configuration, complete: cron knows no PATH, directory or virtualenv."""
    environment = os.environ.get("CRONQ_ENV")
    assignments = [f"CRONQ_ENV={environment}"] if environment else []
    guard = [shutil.which("flock") or "flock", "-n", f"{settings.state_dir}/run/cron.flock"] if with_flock else []
    return cronline.line_for([*guard, *_tick_command(settings)], every, assignments)


def _tick_command(settings: Settings) -> list[str]:
    from cronq.supervisor.spawn import python_of

    python = python_of(settings)
    script = os.path.join(os.path.dirname(python), "cronq")
    program = [script] if os.access(script, os.X_OK) and os.path.isfile(script) else [python, "-m", "cronq"]
    return [*program, "tick", "--config", str(settings.path)]


def change(settings: Settings, wanted: Callable[[str], str]) -> bool:
    """Replace the user's crontab by what `wanted` makes of it, and tell whether that changed anything.

    One at a time: two that read the same crontab would each write it without the other's line.
    Raises CrontabError, before anything is written, when the crontab cannot be read.
    """
    from filelock import FileLock

    state = StateDir(settings.state_dir)
    state.prepare()
    with FileLock(f"{state.run}/crontab.lock", timeout=2 * PATIENCE_S, mode=0o600):
        before = read()
        after = wanted(before)
        if after == before:
            return False
        _write(after)
        kept = read()
        if wanted(kept) != kept:
            raise CrontabError("crontab took the new text, but `crontab -l` shows another: look into your host's panel")
    return True


def read() -> str:
    """Return the user's crontab, empty when there is none. Raises CrontabError for any other failure."""
    done = _run("-l", b"")
    if done.returncode == 0:
        return done.stdout.decode(errors="surrogateescape")
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == 1 and "no crontab for" in said:
        return ""
    raise CrontabError(f"`crontab -l` failed with {done.returncode}: {said or 'no word why'}; nothing was changed")


def _write(text: str) -> None:
    done = _run("-", text.encode(errors="surrogateescape"))
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise CrontabError(f"`crontab -` refused the new crontab with {done.returncode}: {said or 'no word why'}")


def is_there() -> bool:
    """Tell whether this host lets users edit a crontab of their own by program."""
    return shutil.which("crontab") is not None


def _run(argument: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    environ = {**os.environ, "LC_ALL": "C"}  # "no crontab for ada" is to be understood
    try:
        return subprocess.run(
            ["crontab", argument], input=given, capture_output=True, timeout=PATIENCE_S, env=environ, check=False
        )
    except FileNotFoundError:
        raise CrontabError("there is no `crontab` program here") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CrontabError(f"`crontab {argument}` did not work: {error}") from error
