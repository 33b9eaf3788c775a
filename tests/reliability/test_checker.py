"""What judges a reliability test says of each thing that can be wrong that it is: planted by hand where all was well.

The tests beside it (test_controls) plant faults into cronq itself.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reliability.checker import check
from tests.reliability.evidence import LogCopy
from tests.reliability.ledger import Ledger, account
from tests.reliability.scenario import CONSUME, Project
from tests.reliability.sick_host import complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def worked_off() -> Iterator[Path]:
    """A project in which all is done, and nothing went wrong."""
    base = Path(tempfile.mkdtemp(prefix="cronq-checker-", dir=Path.home()))
    project = Project.make(base / "project")
    project.run("produce.py")
    project.run(*CONSUME)
    project.end()
    yield project.home
    shutil.rmtree(base)


@pytest.fixture
def done(worked_off: Path, home: Path) -> Path:
    return Project(worked_off).copy(home / "project").home


def store(change: str) -> Callable[[Path], None]:
    def apply(home: Path) -> None:
        with closing(sqlite3.connect(home / ".cronq" / "queue.db")) as connection:
            assert connection.execute(change).rowcount == 1
            connection.commit()

    return apply


def append(name: str, text: str) -> Callable[[Path], None]:
    def apply(home: Path) -> None:
        with (home / name).open("a") as file:
            file.write(text)

    return apply


def spoil_database(home: Path) -> None:
    """An index says that it holds others than it does."""
    with closing(sqlite3.connect(home / ".cronq" / "queue.db")) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'done''', 'failed''') WHERE name = 'done'")
        connection.commit()


def leave_half_written(home: Path) -> None:
    (home / ".cronq" / "ticks.99.new").touch(0o600)


def open_to_others(home: Path) -> None:
    (home / ".cronq" / "ticks").touch()
    (home / ".cronq" / "ticks").chmod(0o644)


TRACEBACK = "Traceback (most recent call last):\n  ...\nKeyError: 'x'\n"
WRONG: dict[str, tuple[Callable[[Path], None], int]] = {
    "lost: never": (append("returned", "never\n"), 0),
    "run by two at once: quick0": (append("ran", "overlap quick0 1\n"), 0),
    "0 kills repeated quick0": (append("ran", "begin quick0 1\nend quick0 1\n"), 0),
    "ack_first was run twice": (append("ran", "begin once 1\nend once 1\n"), 1),
    "integrity_check: ": (spoil_database, 0),
    "still held by ": (store("UPDATE messages SET holder = 'x'"), 0),
    "the result of kept is not kept": (store("DELETE FROM messages"), 0),
    "in the failure queue: ['kept']": (store("UPDATE messages SET state = 'failed'"), 0),
    "not done: ['kept']": (store("UPDATE messages SET state = 'ready'"), 0),
    "ticks.99.new has stayed": (leave_half_written, 0),
    "ticks has mode 644": (open_to_others, 0),
    "output.log: ": (append(".cronq/log/output.log", TRACEBACK), 0),
}


def test_nothing_is_said_of_a_project_in_which_nothing_is_wrong(done: Path) -> None:
    (done / "mail").touch()
    assert check(done).faults(kills=0) == []
    assert list(complaints(done / ".cronq", done / "mail")) == []


@pytest.mark.parametrize("said", WRONG)
def test_the_checker_says_what_is_wrong(said: str, done: Path) -> None:
    plant, kills = WRONG[said]
    plant(done)
    assert any(said in fault for fault in check(done).faults(kills)), check(done).faults(kills)


LEFT_BY_CHAOS: dict[str, Callable[[Path], None]] = {
    "integrity_check: ": spoil_database,
    "ticks is open to others": open_to_others,
    "1 tracebacks: KeyError: 'x'": append("mail", TRACEBACK),
}


@pytest.mark.parametrize("said", LEFT_BY_CHAOS)
def test_the_chaos_says_what_is_wrong_on_its_disk(said: str, done: Path) -> None:
    (done / "mail").touch()
    LEFT_BY_CHAOS[said](done)
    found = list(complaints(done / ".cronq", done / "mail"))
    assert any(said in one for one in found), found


RUN = "asked 1 9\nreturned 1 9\nbegin 1 5\nend 1 5\n"
AGAIN = "begin 1 6\nend 1 6\n"
KILLED = "killed 0 5\n"


def second(text: str) -> str:
    return text.replace(" 1 ", " 2 ")


AGAIN_WITHOUT = ["run again without a kill: (1,)"]
LEDGERS = {
    "all is well": (RUN, []),
    "a producer died": ("asked 1 9\nkilled 0 9\n", []),
    "a producer died, its message was run": ("asked 1 9\nkilled 0 9\nbegin 1 5\nend 1 5\n", []),
    "a failed attempt": ("asked 1 9\nreturned 1 9\nfail 1 5\nbegin 1 6\nend 1 6\n", []),
    "lost": ("asked 1 9\nreturned 1 9\nbegin 1 5\n" + KILLED, ["lost: (1,)"]),
    "refused": ("asked 1 9\nrefused 1 9\n", []),
    "refused but run": ("asked 1 9\nrefused 1 9\nbegin 1 5\nend 1 5\n", ["refused but run: (1,)"]),
    "run unasked": (RUN + "begin 2 5\nend 2 5\n", ["run unasked: (2,)"]),
    "run again after a kill": (RUN + KILLED + AGAIN, []),
    "run again after two killed the same": (RUN + KILLED + KILLED + AGAIN, []),
    "run again after a kill that was noted before the last word of its process": (
        RUN.replace("end", KILLED + "end") + AGAIN,
        [],
    ),
    "run again, another was killed": (RUN + AGAIN + "killed 0 6\nkilled 0 9\n", AGAIN_WITHOUT),
    "run again, one of that number had been killed before": ("fail 1 5\n" + KILLED + RUN + AGAIN, AGAIN_WITHOUT),
    "run again, its process was killed in the next": (RUN + "begin 2 5\nasked 2 9\n" + KILLED + AGAIN, AGAIN_WITHOUT),
    "one kill, two messages run again": (RUN + second(RUN) + KILLED + AGAIN + second(AGAIN), AGAIN_WITHOUT),
    "run by two at once": (RUN + "overlap 1 6\n", ["run by two at once: (1,)"]),
}


@pytest.mark.parametrize("what", LEDGERS)
def test_the_ledger_accounts_for_every_number(what: str, tmp_path: Path) -> None:
    text, faults = LEDGERS[what]
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text(text)
    found = account(ledger)
    assert found.faults() == faults
    assert found.asked == found.returned + found.refused + found.unanswered


LOGGED = "2026-11-21T08:31:52Z tick[77] sent SIGKILL to host/work.0/5/1234/abcdef01/0: it hangs past its time limit\n"


@pytest.mark.parametrize(
    ("logged", "faults"), [(LOGGED, []), (LOGGED.replace("KILL", "TERM"), AGAIN_WITHOUT), ("", AGAIN_WITHOUT)]
)
def test_a_kill_by_a_tick_excuses_as_much_as_any_other(logged: str, faults: list[str], tmp_path: Path) -> None:
    ledger, copy = Ledger(tmp_path / "ledger"), LogCopy(tmp_path / "cronq.log", tmp_path / "copy")
    ledger.path.write_text(RUN)
    for part in (logged[:60], logged[60:]):  # seen in the middle of being written
        with (tmp_path / "cronq.log").open("a") as file:
            file.write(part)
        for pid in copy.follow():
            ledger.note_kill(pid)
    copy.close()
    with ledger.path.open("a") as file:
        file.write(AGAIN)
    assert account(ledger).faults() == faults


def test_the_copy_of_the_log_has_all_lines_of_logs_that_were_renamed(tmp_path: Path) -> None:
    log = tmp_path / "cronq.log"
    copy = LogCopy(log, tmp_path / "copy")
    copy.follow()
    for number in range(3):
        with log.open("a") as file:
            file.write(f"{number} first\n")
        copy.follow()
        with log.open("a") as file:
            file.write(f"{number} last\n")
        log.replace(tmp_path / "cronq.log.1")
    copy.follow()
    log.write_text("new\n")
    copy.follow()
    copy.close()
    assert (tmp_path / "copy").read_text() == "0 first\n0 last\n1 first\n1 last\n2 first\n2 last\nnew\n"
