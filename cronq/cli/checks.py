"""What `cronq check` looks at beyond the text of cronq.toml. Each check tells what it found and what is wrong."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from typing import TYPE_CHECKING

from cronq.cli import crontab
from cronq.cli.common import bare_app
from cronq.cli.cronline import jobs
from cronq.cli.database import database_of
from cronq.cli.findings import Error, Fact, Warned
from cronq.cli.older_releases import older_releases
from cronq.cli.project_checks import project
from cronq.cli.text import count
from cronq.errors import CronqError
from cronq.host.process import HAS_CONSUMERS
from cronq.host.requirements import no_consumers
from cronq.host.shared_places import shared_place_of, why_not_to_stay
from cronq.supervisor.spool_status import spool_status
from cronq.supervisor.unserved import unserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.app import App
    from cronq.cli.cronline import Job
    from cronq.cli.findings import Finding
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir

OLDEST_SQLITE = (3, 26, 0)
PYTHON_PATIENCE_S = 30.0


def environment(settings: Settings) -> Iterator[Finding]:
    """Return what is found around a valid configuration, one check after the other, whatever each of them finds."""
    for check in (_state_dir, project, _python, _transport, _crontab, _troubles):
        try:
            yield from check(settings)
        except CronqError as error:
            yield Error(str(error))


def _state_dir(settings: Settings) -> Iterator[Finding]:
    state = bare_app(settings).state
    state.prepare()
    yield Fact("state_dir", settings.state_dir)
    yield from (Warned(one.text) for one in older_releases(settings))
    place = shared_place_of(settings.state_dir)
    if place is not None:
        yield Warned(f"state_dir = {settings.state_dir!r}: {why_not_to_stay(place)}")
    yield from _unserved(state)
    yield from _strangers(state)


def _unserved(state: StateDir) -> Iterator[Finding]:
    """Name tasks that wait, since no consumer could be started for them."""
    from cronq.supervisor.slots import survey

    found = unserved(state, survey(state))
    if found is not None:
        yield Warned(found.text)


def _strangers(state: StateDir) -> Iterator[Finding]:
    """Name consumers of other hosts: a directory that was copied, or a renamed host, has some that never end."""
    from cronq.host.process import host_name
    from cronq.supervisor.slots import survey

    here = host_name()
    for seen in survey(state):
        if not seen.is_live and seen.note is not None and not seen.note.has_left and seen.note.holder.host != here:
            yield Warned(
                f"{state.slot(seen.name)}: is of a consumer of host {seen.note.holder.host}, and this is {here}: its "
                f"queues count as attended for the grace period, and what it runs is taken back when that lapses; if "
                f"no such host shares this directory any more, remove the file"
            )


def _python(settings: Settings) -> Iterator[Finding]:
    """Ask the interpreter that starts consumers for its version and for cronq, as a consumer would need them."""
    from cronq.supervisor.spawn import python_of

    python = python_of(settings)
    program = "import platform, cronq; print(platform.python_version(), cronq.__version__)"
    try:
        done = subprocess.run(
            [python, "-c", program], capture_output=True, text=True, timeout=PYTHON_PATIENCE_S, cwd="/", check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Error(f"python = {python!r}: cannot be run ({_why(error)}): set it to one that can import cronq")
        return
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        yield Error(f"python = {python!r}: cannot import cronq ({said}): install cronq there, or set another python")
        return
    yield Fact("python", f"{python} ({' with cronq '.join(done.stdout.split())})")


def _transport(settings: Settings) -> Iterator[Finding]:
    app = bare_app(settings)
    counts = app.transport.counts()
    waiting = sum(one.ready for one in counts)
    path = database_of(settings)
    if path is None:
        yield Fact("transport", settings.transport)
        yield Warned(f"transport = {settings.transport!r}: keeps nothing beyond its process: for tests only")
        return
    yield from _spool(app)
    app.transport.close()
    yield from _sqlite(path, waiting)


def _spool(app: App) -> Iterator[Finding]:
    if not app.settings.spool:
        return
    found = spool_status(app.installation)
    if found is None:
        yield Warned("spool = true: this system cannot reserve room for files: nothing is kept")
        return
    if found.unusable is not None:
        yield Warned(f"spool = true: {found.unusable}")
    lying = count(found.messages, "message") if found.messages else "empty"
    yield Fact("spool", f"{app.state.spool} ({found.size // (1024 * 1024)} MB reserved, {lying})")


def _sqlite(path: str, waiting: int) -> Iterator[Finding]:
    from cronq.transports.sqlite.filesystem import is_local, type_of

    file_system = type_of(path)
    yield Fact(
        "transport",
        f"{path} ({count(waiting, 'message')} ready, SQLite {sqlite3.sqlite_version}, "
        f"journal {_journal(path)}, file system {file_system})",
    )
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield Error(f"SQLite {sqlite3.sqlite_version} is too old, 3.26 is needed: use a newer Python build")
    if not is_local(file_system):
        yield Warned(
            f"{path}: lies on {file_system}, which is not known to be a local disk: the queue is slow there, and as "
            f"safe as the locks of that file system; let only one host use it"
        )


def _journal(path: str) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    finally:
        connection.close()


def _crontab(settings: Settings) -> Iterator[Finding]:
    """Look for the line that ticks. Its absence is a warning only: ticks may come by URL, or from a panel's cron."""
    if not HAS_CONSUMERS:
        yield Warned(str(no_consumers("tick")))
        return
    if settings.path is None or not crontab.is_there():
        return
    try:
        all_jobs = jobs(crontab.read())
    except crontab.CrontabError as error:
        yield Warned(f"crontab: cannot be looked at: {error}")
        return
    ours = [job for job in all_jobs if job.ticks(settings.path)]
    if ours:
        yield Fact("crontab", f"line {', '.join(str(job.number) for job in ours)}")
        yield from _wrong_jobs(ours, settings.path)
        return
    vague = [str(job.number) for job in all_jobs if job.config is None]
    also = f" (line {', '.join(vague)} calls cronq without --config)" if vague else ""
    yield Warned(f"crontab: no line ticks {settings.path}{also}: `cronq crontab install` adds it")


def _troubles(settings: Settings) -> Iterator[Finding]:
    """Say what is known of the time before this: what `cronq status` tells, save what was tried here just now."""
    from cronq.supervisor.status import look
    from cronq.supervisor.troubles import BROKEN_IMPORT, NEVER_TICKED, troubles

    app = bare_app(settings)
    for trouble in troubles(look(settings, app.state, app.transport, app.clock)):
        if trouble.key not in {BROKEN_IMPORT, NEVER_TICKED}:
            yield Warned(trouble.text)
    app.transport.close()


def _wrong_jobs(ours: Sequence[Job], config: str) -> Iterator[Finding]:
    if len(ours) > 1:
        others = ", ".join(str(job.number) for job in ours if not job.is_alone)
        cure = f"take the tick out of line {others}, which runs something else, too" if others else ""
        yield Warned(f"crontab: {len(ours)} lines tick {config}: {cure or '`cronq crontab install` leaves one'}")
    for job in ours:
        if not os.path.isabs(job.program):
            yield Warned(f"crontab: line {job.number} calls {job.program!r}: cron's PATH has only /usr/bin and /bin")
        elif not os.access(job.program, os.X_OK):
            yield Warned(f"crontab: line {job.number} calls {job.program!r}, which is not there or not executable")
        if not os.path.isabs(job.config or ""):
            yield Warned(f"crontab: line {job.number} names {job.config!r}: give the whole path, cron starts at home")


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
