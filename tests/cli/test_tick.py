"""`cronq tick`: the road of cron and its other modes, what they do, print and return."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.cli.conftest import shown
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    import subprocess

    from tests.cli.conftest import Shell

MODES: tuple[list[str], ...] = ([], ["--wait"], ["--run"], ["--dry-run"])
STAYING = 'time_limit = "1h"\n'
"""A consumer does not leave by itself while a test looks at it."""


@pytest.fixture
def shop(shop: Shell) -> Shell:
    shop.config.write_text('interval = "60s"\nmax_processes = 7\n' + shop.config.read_text() + STAYING)
    return shop


def refused_with(mode: list[str]) -> int:
    """Return the exit code of a run that tells: what cron calls has one for all that it mails."""
    return 2 if mode == ["--dry-run"] else 1


def log(shop: Shell) -> str:
    return Path(shop.state.log).read_text()


def consuming(shop: Shell) -> list[int]:
    notes = [one.live_note for one in shop.live()]
    return [note.holder.pid for note in notes if note and note.state == "consuming"]


def consumer(shop: Shell) -> int:
    """Wait until somebody consumes, and return the pid."""

    def pid() -> int | None:
        return next(iter(consuming(shop)), None)

    return wait_until(pid)


def silent(process: subprocess.Popen[str], code: int = 0) -> bool:
    assert process.communicate(timeout=60) == ("", "")
    return process.returncode == code


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "behind it"])
@pytest.mark.parametrize("option", [["--config", "cronq.toml"], ["--config=cronq.toml"]], ids=["apart", "in one"])
def test_a_tick_starts_what_is_missing_and_is_silent(shop: Shell, before: bool, option: list[str]) -> None:
    words = [*option, "tick"] if before else ["tick", *option]
    assert shop.says(*words) == ""
    assert consumer(shop)
    assert log(shop).count("started a consumer for all") == 1


def test_a_tick_starts_nothing_where_all_are_there(shop: Shell) -> None:
    shop.says("tick")
    consumer(shop)
    assert shop.says("tick") == ""
    assert log(shop).count("started a consumer") == 1


def test_the_configuration_of_the_environment_is_ticked(shop: Shell) -> None:
    shop.environ["CRONQ_CONFIG"] = str(shop.config)
    assert shop.says("tick", "--dry-run") == shop.run("tick", "--dry-run", cwd="/").stdout
    assert shop.run("tick", cwd="/").returncode == 0
    assert consumer(shop)


def test_a_dry_run_says_what_a_tick_would_do_and_does_nothing(shop: Shell) -> None:
    said = "interval 60 s, at most 7 consumers in all\nall: 0 live, 1 wanted, 1 to start\n"
    assert shop.says("tick", "--dry-run") == said
    assert not shop.live()
    assert not os.path.exists(shop.state.ticks)


def test_a_dry_run_counts_who_is_there(shop: Shell) -> None:
    shop.says("tick")
    consumer(shop)
    assert "all: 1 live, 1 wanted, 0 to start\n" in shop.says("tick", "--dry-run")


def test_a_dry_run_says_what_a_dead_consumer_left_and_leaves_it_there(shop: Shell, busy: Path) -> None:
    pid = consumer(shop)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    for _ in range(2):
        said = shop.says("tick", "--dry-run")
        (rescue,) = [line for line in said.splitlines() if line.startswith("rescue 1 messages of ")]
        assert f"/all.0/{pid}/" in rescue
        assert "died while running it" in rescue


@pytest.mark.slow
def test_a_dry_run_says_who_hangs(shop: Shell) -> None:
    tasks = shop.home / "shop" / "tasks.py"
    tasks.write_text(tasks.read_text().replace('@app.task(queue="high")', '@app.task(queue="high", timeout_s=0.1)'))
    tasks.write_text(
        tasks.read_text().replace(
            "    open(path", "    import signal\n    signal.pthread_sigmask(0, [14])\n    open(path"
        )
    )
    shop.says("enqueue", "shop.tasks.until_there", str(shop.home / "end"))
    shop.says("tick")
    pid = consumer(shop)
    said = wait_until(lambda: [one for one in shop.says("tick", "--dry-run").splitlines() if one.startswith("end ")])
    assert f"/all.0/{pid}/" in said[0]
    assert not has_ended(pid)


def test_a_dry_run_names_slots_that_need_a_successor(shop: Shell) -> None:
    shop.config.write_text(shop.config.read_text().replace(STAYING, 'time_limit = "60s"\n'))
    shop.says("tick")
    consumer(shop)
    assert "all.0: start a successor\n" in shop.says("tick", "--dry-run")
    assert len(shop.live()) == 1


DAILY = '[schedule.daily]\ntask = "shop.tasks.add"\ncron = "0 0 * * *"\nargs = { a = 1 }\n'


@pytest.mark.parametrize(
    ("missed", "said"), [("all", "enqueue 2 messages"), ("skip", "drop the runs that were missed")]
)
def test_a_dry_run_names_schedules_that_are_due(shop: Shell, missed: str, said: str) -> None:
    shop.config.write_text(shop.config.read_text() + DAILY + f'missed = "{missed}"\n')
    shop.says("schedule")
    with sqlite3.connect(f"{shop.state.path}/queue.db") as database:
        database.execute("UPDATE schedules SET next_at = next_at - 2 * 86400")
    database.close()
    assert shop.says("tick", "--dry-run").endswith(f"schedule daily: {said}\n")
    assert shop.ready("normal") == 0


OTHER = '[[consumers]]\nname = "other"\nqueues = ["other"]\nautoscale = { min = 1, max = 1 }\n' + STAYING


@pytest.mark.parametrize("spawn", ["exec", "fork"])
def test_wait_stays_until_its_consumers_have_ended(shop: Shell, spawn: str) -> None:
    """They are its own children, also where one would come out of the other by a fork."""
    shop.config.write_text(f'spawn = "{spawn}"\n' + shop.config.read_text() + OTHER)
    waiting = shop.start("tick", "--wait")
    wait_until(lambda: len(consuming(shop)) == 2)
    pids = consuming(shop)
    assert [psutil.Process(pid).ppid() for pid in pids] == [waiting.pid] * 2
    assert waiting.poll() is None
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert silent(waiting)
    assert [has_ended(pid) for pid in pids] == [True, True]


def test_wait_does_not_wait_for_consumers_of_others(shop: Shell) -> None:
    shop.says("tick")
    pid = consumer(shop)
    assert silent(shop.start("tick", "--wait"))
    assert not has_ended(pid)


def test_run_consumes_in_this_process_and_starts_no_other(shop: Shell) -> None:
    """An interpreter that only leaves a mark would be what others are started with."""
    other = shop.bin / "python"
    other.write_text(f"#!/bin/sh\ntouch {shop.home}/started\n")
    other.chmod(0o755)
    shop.config.write_text(f'python = "{other}"\n' + shop.config.read_text() + OTHER)
    running = shop.start("tick", "--run")
    assert consumer(shop) == running.pid
    shop.says("enqueue", "shop.tasks.add", "1")
    wait_until(lambda: shop.ready("normal") == 0)
    assert [one.pid for one in shop.live()] == [running.pid]
    running.send_signal(signal.SIGTERM)
    assert silent(running)
    assert not (shop.home / "started").exists()


def test_run_leaves_at_once_where_nobody_is_missing(shop: Shell) -> None:
    shop.says("tick")
    pid = consumer(shop)
    assert silent(shop.start("tick", "--run"))
    assert consumer(shop) == pid


def test_run_succeeds_a_consumer_whose_time_comes(shop: Shell) -> None:
    shop.config.write_text(shop.config.read_text().replace(STAYING, 'time_limit = "60s"\n'))
    shop.says("tick")
    pid = consumer(shop)
    running = shop.start("tick", "--run")
    wait_until(lambda: has_ended(pid))
    assert consumer(shop) == running.pid


def test_run_returns_how_its_consumer_ended(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("import nowhere_to_be_found\n")
    done = shop.run("tick", "--run")
    assert (done.returncode, "No module named 'nowhere_to_be_found'" in done.stderr) == (1, True)


@pytest.mark.parametrize("mode", [["--wait"], ["--run"], []], ids=["wait", "run", "plain"])
def test_nothing_is_started_while_a_stop_is_in_force(shop: Shell, mode: list[str]) -> None:
    shop.says("stop", "--for", "1h")
    assert silent(shop.start("tick", *mode))
    assert not shop.live()


@pytest.mark.parametrize("mode", MODES, ids=" ".join)
def test_a_configuration_that_is_not_there_is_named(shop: Shell, mode: list[str]) -> None:
    assert "gone.toml" in shop.says("tick", *mode, "--config", "gone.toml", code=refused_with(mode))


@pytest.mark.parametrize("mode", MODES, ids=" ".join)
def test_without_any_configuration_it_says_how_to_give_one(shell: Shell, mode: list[str]) -> None:
    text = shell.says("tick", *mode, code=refused_with(mode))
    assert "there is no cronq.toml in" in text
    assert "--config" in text


@pytest.mark.parametrize("mode", MODES, ids=" ".join)
def test_a_wrong_configuration_is_refused_with_every_mistake(shop: Shell, mode: list[str]) -> None:
    shop.config.write_text("nonsense = 1\n" + shop.config.read_text().replace("max_processes = 7", "max_processes = 0"))
    text = shop.says("tick", *mode, code=refused_with(mode))
    assert "nonsense" in text
    assert "max_processes" in text
    assert not Path(shop.state.path).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "3"], "No such option '--limit'"),
        (["--dry"], "No such option '--dry'"),
        (["all"], "Got unexpected extra argument (all)"),
        (["--wait=1"], "does not take a value"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(shop: Shell, words: list[str], said: str) -> None:
    assert said in shop.says("tick", *words, code=2)
    assert not Path(shop.state.path).exists()


def test_help_names_every_option_and_ticks_not(shop: Shell) -> None:
    text = shop.says("tick", "--help")
    assert [one for one in ("--wait", "--run", "--dry-run", "--config") if f"  {one} " not in text] == []
    assert not Path(shop.state.path).exists()


def test_only_options_make_click_needed(shop: Shell) -> None:
    """Asked when the queues have been made: sqlite-utils, which makes them, imports click itself."""
    shop.says("tick")
    consumer(shop)
    assert not shop.imports_click("tick", "--config", "cronq.toml", code=0)
    assert shop.imports_click("tick", "--dry-run", code=0)


def test_the_last_of_two_configurations_is_ticked(shop: Shell) -> None:
    """The short road knows one only: this is a plain tick that click reads."""
    assert silent(shop.start("tick", "--config", "gone.toml", "--config", str(shop.config), cwd="/"))
    assert consumer(shop)


def test_a_problem_is_told_once_and_again_after_it_was_gone(shop: Shell) -> None:
    shop.state.prepare()
    database = Path(shop.state.path) / "queue.db"

    def damaged() -> str:
        database.write_text("this is no database" * 100)
        database.chmod(0o600)
        return shop.says("tick", code=1)

    assert damaged().startswith("cronq tick: ")
    assert shop.says("tick") == ""
    assert "the tick fails: " in shop.says("status", code=1)
    database.unlink()
    assert shop.says("tick", code=1).startswith("cronq tick: well again after ")
    assert shop.says("tick") == ""
    consumer(shop)
    shop.says("stop", "--for", "1h")
    for path in database.parent.glob("queue.db*"):
        path.unlink()
    assert damaged().startswith("cronq tick: ")


MISTAKE = "max_processes = 0\n"
RUNS_OF_CRON = (["tick"], ["tick", "--wait"], ["tick", "--run"])


@pytest.mark.parametrize("words", RUNS_OF_CRON, ids=" ".join)
def test_a_typo_in_the_configuration_is_told_once_and_once_that_it_is_gone(shop: Shell, words: list[str]) -> None:
    shop.says("stop", "--for", "1h")
    right = shop.config.read_text()
    shop.config.write_text(MISTAKE)
    assert "max_processes = 0: must be" in shop.says(*words, code=1)
    assert shop.says(*words) == ""
    assert "max_processes = 0: must be" in shop.says("status", code=2)
    shop.config.write_text(right)
    assert "well again after " in shop.says(*words, code=1)
    assert shop.says(*words) == ""


def test_another_mistake_in_the_configuration_is_told_at_once(shop: Shell) -> None:
    shop.config.write_text(MISTAKE)
    shop.says("tick", code=1)
    shop.config.write_text("nonsense = 1\n")
    assert "nonsense" in shop.says("tick", code=1)
    assert shop.says("tick") == ""


def test_the_status_of_queues_that_cannot_be_read_says_all_else(shop: Shell) -> None:
    shop.state.prepare()
    (shop.home / ".cronq" / "queue.db").write_text("this is no database" * 100)
    said = shop.says("status", code=1)
    assert "cron  has never ticked" in said
    assert f"! the queues cannot be looked at: {shop.state.path}/queue.db: file is not a database" in said


def test_a_state_directory_that_is_refused_is_told_once_and_once_that_it_is_not(shop: Shell) -> None:
    shop.state.prepare()
    os.chmod(shop.state.path, 0o777)  # noqa: S103 - that is the mistake
    assert "lets others write" in shop.says("tick", code=1)
    assert shop.says("tick") == ""
    os.chmod(shop.state.path, 0o700)
    assert "well again after " in shop.says("tick", code=1)


def test_what_was_told_is_remembered_at_home_where_the_configuration_lies_with_others(shop: Shell) -> None:
    assert "/no/such/place/cronq.toml: no such file" in shop.says(
        "tick", "--config", "/no/such/place/cronq.toml", code=1
    )
    assert shop.says("tick", "--config", "/no/such/place/cronq.toml") == ""
    (kept,) = (shop.home / ".local" / "state" / "cronq").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("%no%such%place%cronq.toml.told", 0o600)


@pytest.mark.parametrize("is_link", [True, False], ids=["a link", "a file that others may write"])
def test_a_planted_note_neither_silences_a_tick_nor_is_written_through(shop: Shell, is_link: bool) -> None:
    right, victim = shop.config.read_text(), shop.home / "victim"
    shop.config.write_text(MISTAKE)
    shop.says("tick", code=1)
    note = shop.home / "__pycache__" / "cronq.toml.told"
    told = note.read_text()
    victim.write_text(told)
    if is_link:
        note.unlink()
        note.symlink_to(victim)
    else:
        note.chmod(0o666)
    assert "max_processes" in shop.says("tick", code=1)
    assert (victim.read_text(), note.is_symlink()) == (told, False)
    shop.config.write_text(right)
    assert "well again after " in shop.says("tick", code=1)


def test_an_import_that_fails_is_told_once_and_once_that_it_is_well_again(shop: Shell) -> None:
    tasks = shop.home / "shop" / "tasks.py"
    right = tasks.read_text()
    tasks.write_text("import nowhere_to_be_found\n")
    assert shop.says("tick") == ""
    wait_until(lambda: shop.run("status").returncode == 1 and not shop.live())
    said = shop.says("tick", code=1)
    assert "group all is broken: importing shop.tasks:app failed: ModuleNotFoundError" in said
    assert "told once" in said
    assert shop.says("tick") == ""
    assert "is broken" in shop.says("status", code=1)
    tasks.write_text(right)
    for path in Path(shop.state.run).glob("*.pid"):
        path.unlink()  # as if the delay were over
    Path(shop.state.backoff("all")).unlink()
    shop.says("tick", code=1)
    consumer(shop)
    assert shop.says("tick") == ""
    assert shop.says("status")


def test_a_person_at_a_terminal_is_told_every_time_and_takes_no_news_from_cron(shop: Shell) -> None:
    shop.config.write_text(MISTAKE)
    for _ in range(2):
        master, terminal = pty.openpty()
        process = shop.start("tick", stdout=terminal, stderr=terminal)
        assert shown(master, "max_processes = 0: must be")
        assert process.wait(60) == 2
        os.close(master)
        os.close(terminal)
    assert "max_processes" in shop.says("tick", code=1)


def test_consumers_that_nobody_ever_saw_are_told_of(shop: Shell) -> None:
    """As on a host that ends what a cron job leaves behind, before it has taken its place."""
    gone = shop.bin / "python"
    gone.write_text("#!/bin/sh\nexit 0\n")
    gone.chmod(0o755)
    right = shop.config.read_text()
    shop.config.write_text(f'python = "{gone}"\n' + right)
    told = [shop.run("tick").stderr for _ in range(5) if long_ago(shop)]
    assert [one.count("let cron call `cronq tick --wait`") for one in told] == [0, 0, 0, 1, 0]
    assert "consumers were gone before they could begin" in shop.says("status", code=1)
    shop.config.write_text(right)
    shop.run("tick")
    consumer(shop)
    assert "well again after " in shop.says("tick", code=1)


def long_ago(shop: Shell) -> bool:
    """Let the last start lie a minute back."""
    path = Path(shop.state.starts)
    if path.exists():
        boot, *lines = path.read_text().splitlines()
        words = [line.split(" ") for line in lines]
        aged = [" ".join([group, str(float(at) - 60), *rest]) for group, at, *rest in words]
        path.write_text("\n".join([boot, *aged]) + "\n")
    return True


def test_what_run_leaves_to_others_is_not_missed(shop: Shell) -> None:
    """It passes for all that the tick would have started, and consumes for the first of them."""
    shop.config.write_text(shop.config.read_text() + OTHER)
    running = shop.start("tick", "--run")
    assert consumer(shop) == running.pid
    assert not Path(shop.state.starts).exists()
    running.terminate()
    assert silent(running)


def test_a_start_on_its_way_is_not_taken_for_the_end_of_what_broke_the_last_one(shop: Shell) -> None:
    tasks = shop.home / "shop" / "tasks.py"
    right = tasks.read_text()
    tasks.write_text("import nowhere_to_be_found\n")
    shop.says("tick")
    wait_until(lambda: shop.run("status").returncode == 1 and not shop.live())
    assert "is broken" in shop.says("tick", code=1)
    slow = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.005)\n"
    tasks.write_text(slow + "import nowhere_to_be_found\n")
    starting = shop.start("consume", "all")
    wait_until(lambda: [one for one in shop.live() if one.note and one.note.state == "starting"])
    assert shop.says("tick") == ""
    (shop.home / "go").touch()
    assert starting.wait(60) == 1
    assert shop.says("tick") == ""
    tasks.write_text(right)
    shop.start("consume", "all")
    consumer(shop)
    assert "well again after " in shop.says("tick", code=1)
