"""What somebody planted while the state directory was open to them: links and FIFOs where cronq makes its files."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cronq.errors import CronqError
from cronq.supervisor.slots import CONSUMING
from tests import forked
from tests.supervisor.project import CONFIG, Project
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forked import Ended, Forked

pytestmark = pytest.mark.slow

COMMANDS = (
    ("tick",),
    ("consume", "standby", "--stop-when-empty"),
    ("status",),
)
LAST = ("consume", "standby.0"), ("stop",)
PATIENCE_S = 120.0
SITE = """
import tasks
from wsgi_hooks import CronqMiddleware

def site(environ, start_response):
    tasks.note.enqueue("by the web")
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"hi"]

environ = {"REQUEST_METHOD": "GET", "SERVER_SOFTWARE": "WSGIServer/0.2", "SERVER_PROTOCOL": "HTTP/1.1"}
body = CronqMiddleware(site, tasks.app)(environ, lambda status, headers: None)
assert list(body) == [b"hi"]
if hasattr(body, "close"):
    body.close()
"""
PRECIOUS = "precious\n" * 3
FILES = (
    *("queue.db", "queue.db-wal", "queue.db-shm", "queue.db-journal", "queue.db.migrate.lock"),
    *("ticks", "stop", "durations", "log/cronq.log", "log/output.log", "alive/high", "wake/high"),
    *("run/tick.lock", "run/standby.0.pid", "run/standby.0.next", "run/account.0.lock", "run/standby.backoff"),
    *("run/overdue", "run/starts", "run/standby.launch", "told", "tasks", "environ", "unserved", "interval"),
)
SELDOM = {
    "webhook.ops.secret": ("check",),
    "run/crontab.lock": ("crontab", "install"),
    "run/inline.0.pid": ("site",),
    "before-restore.db": ("restore", "copy.db"),
    "../backup.db": ("backup", "backup.db"),
    "../__pycache__/cronq.toml.*": ("tick",),
}
"""Files that no command of those makes, and the one that does."""


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    made.write("cronq.toml", CONFIG.replace("10m", "3s"))
    yield made
    made.kill_all()


def _link(place: Path, victim: Path) -> None:
    place.symlink_to(victim)


def _dangling_link(place: Path, victim: Path) -> None:
    place.symlink_to(victim.with_name("made-by-cronq"))


def _fifo(place: Path, victim: Path) -> None:
    os.mkfifo(place, 0o600)


def test_the_list_of_files_is_whole(project: Project) -> None:
    """So that a file which a later release makes is tried here, too."""
    project.write("cronq.toml", CONFIG)  # whose consumers live until they have run something
    project.started()
    project.enqueue("note", "x")
    wait_until(lambda: project.read("ran"))
    made = {
        os.path.relpath(path, project.state.path) for path in (project.home / ".cronq").rglob("*") if path.is_file()
    }

    assert {name for name in made if not name.startswith(("alive/", "run/account"))} <= {*FILES, "config"}


@pytest.mark.parametrize("plant", [_link, _fifo])
def test_nothing_is_written_through_it_and_nobody_waits_for_it(
    project: Project, home: Path, plant: Callable[[Path, Path], None]
) -> None:
    victim = home / "victim"
    complaints = []
    for name in FILES:
        if name.startswith("wake/") and plant is _fifo:
            continue  # cronq's own are FIFOs
        project.state.prepare()
        victim.write_text(PRECIOUS)
        victim.chmod(0o644)
        place = home / ".cronq" / name
        plant(place, victim)
        said = [*(_wrong(words, _end(_start(project, *words))) for words in COMMANDS), *_handed_over(project)]
        complaints += [f"{name}: {one}" for one in said if one is not None]
        if victim.read_text() != PRECIOUS or stat.S_IMODE(victim.stat().st_mode) != 0o644:
            complaints.append(f"{name}: was written through")
        if (home / "made-by-cronq").exists():
            complaints.append(f"{name}: a file was made where it points")
            (home / "made-by-cronq").unlink()
        project.kill_all()
        shutil.rmtree(home / ".cronq")

    assert complaints == []


@pytest.mark.parametrize("plant", [_link, _dangling_link, _fifo])
@pytest.mark.parametrize("name", SELDOM)
def test_nothing_is_written_through_a_file_that_is_seldom_made(
    project: Project, home: Path, name: str, plant: Callable[[Path, Path], None]
) -> None:
    project.write("cronq.toml", f'{CONFIG}\n[webhooks.ops]\nurl = "http://127.0.0.1:9/"\n')
    project.write("crontab", '#!/bin/sh\n[ "$1" = - ] && exec cat > table || cat table 2> /dev/null\n')
    (home / "crontab").chmod(0o755)
    project.write("site_.py", SITE)
    assert _wrong((), _end(_start(project, "queues", "setup"))) is None
    assert _wrong((), _end(_start(project, "backup", "copy.db"))) is None
    victim = home / "victim"
    victim.write_text(PRECIOUS)
    victim.chmod(0o644)
    place = home / ".cronq" / name.replace("*", sys.implementation.cache_tag or "")
    place.parent.mkdir(exist_ok=True)
    plant(place, victim)
    words = SELDOM[name]
    if words == ("site",):
        subprocess.run([sys.executable, "site_.py"], cwd=home, check=True, timeout=PATIENCE_S)
    else:
        command = forked.start(*words, "--config", project.config, home=home, environ={"PATH": f"{home}:/usr/bin:/bin"})
        assert _wrong(words, _end(command)) is None

    assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == (PRECIOUS, 0o644)
    assert not (home / "made-by-cronq").exists()


def test_the_state_directory_and_all_in_it_are_for_its_owner_alone(project: Project) -> None:
    """Whatever the umask of whoever starts it."""
    os.umask(0)
    project.write("cronq.toml", CONFIG)  # whose consumers live until they have run something
    project.started()
    project.enqueue("note", "x")
    wait_until(lambda: project.read("ran"))

    found = [project.home / ".cronq", *(project.home / ".cronq").rglob("*")]
    modes = {str(path): oct(stat.S_IMODE(path.lstat().st_mode)) for path in found}
    owned = {str(path): "0o700" if path.is_dir() else "0o600" for path in found}
    assert modes == owned
    assert {path.lstat().st_uid for path in found} == {os.geteuid()}


@pytest.mark.parametrize("name", ["run", "alive", "wake", "log"])
def test_a_directory_that_leads_elsewhere_is_refused(project: Project, home: Path, name: str) -> None:
    (home / ".cronq").mkdir(mode=0o700)
    (home / "elsewhere").mkdir()
    (home / ".cronq" / name).symlink_to(home / "elsewhere")
    for words in (("tick",), ("consume", "standby"), ("check",)):
        ended = _end(_start(project, *words))
        assert ended is not None
        assert (ended.code, "is not a directory of yours" in ended.text) == (_refusal(words), True)
    assert list((home / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720])
def test_a_state_directory_that_others_may_write_is_refused(project: Project, home: Path, mode: int) -> None:
    (home / ".cronq").mkdir()
    (home / ".cronq").chmod(mode)
    for words in (("tick",), ("consume", "standby"), ("check",), ("stop",)):
        ended = _end(_start(project, *words))
        assert ended is not None
        assert (ended.code, "lets others write" in ended.text) == (_refusal(words), True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_state_directory_of_somebody_else_is_refused(project: Project, home: Path) -> None:
    (home / ".cronq").mkdir(mode=0o700)
    os.chown(home / ".cronq", 12345, 12345)
    for words in (("tick",), ("consume", "standby"), ("check",), ("stop",)):
        ended = _end(_start(project, *words))
        assert ended is not None
        assert (ended.code, "belongs to" in ended.text) == (_refusal(words), True)


def _refusal(words: tuple[str, ...]) -> int:
    """Return the exit code of a refusal: what cron calls has one for all that it mails."""
    return 1 if words == ("tick",) else 2


def _handed_over(project: Project) -> list[str | None]:
    """A consumer takes a slot over; when it has, or cannot and has left, everybody is stopped."""
    successor = _start(project, *LAST[0])
    begun = time.monotonic()
    while not (successor.has_ended() or _consumes(project, successor.pid)) and time.monotonic() < begun + PATIENCE_S:
        time.sleep(0.005)
    stop = _end(_start(project, *LAST[1]))
    if stop is not None and stop.code and not successor.has_ended():
        os.kill(successor.pid, signal.SIGTERM)  # what is planted kept `cronq stop` from it
    return [_wrong(LAST[1], stop), _wrong(LAST[0], _end(successor))]


def _consumes(project: Project, pid: int) -> bool:
    try:
        note = project.slot().live_note
    except CronqError:  # what is planted
        return False
    return note is not None and note.holder.pid == pid and note.state == CONSUMING


def _start(project: Project, *words: str) -> Forked:
    return forked.start(*words, "--config", project.config, home=project.home)


def _end(command: Forked) -> Ended | None:
    """Wait for the end of a command; None: it hangs, and was killed."""
    begun = time.monotonic()
    while not command.has_ended():
        if time.monotonic() > begun + PATIENCE_S:
            os.kill(command.pid, signal.SIGKILL)
            command.ended()
            return None
        time.sleep(0.002)
    return command.ended()


def _wrong(words: tuple[str, ...], ended: Ended | None) -> str | None:
    """Say what is wrong with how a command has ended: an error that names no cause, a traceback, a hang."""
    if ended is None:
        return f"cronq {' '.join(words)} hangs"
    if "Traceback" in ended.text or ended.code not in {0, 1, 2}:
        return f"cronq {' '.join(words)} ends with {ended.code}: {ended.text[-1500:]}"
    return None
