from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cronq.config import load
from cronq.host import locks, process
from cronq.host.state_dir import read_text
from cronq.supervisor.spawn import consume_command
from tests.processes import says
from tests.waiting import wait_until

if TYPE_CHECKING:
    from cronq.supervisor.slots import Seen
    from cronq.supervisor.spawn import Command
    from tests.cli.conftest import Shell
    from tests.processes import Starting


def idle_consumer(shop: Shell) -> Seen:
    shop.says("tick")
    return wait_until(lambda: [one for one in shop.live() if one.note and one.note.state == "consuming"])[0]


def staying(shop: Shell) -> None:
    """Let consumers live longer than any test waits: whoever is gone was told to go."""
    shop.config.write_text(shop.config.read_text() + 'time_limit = "1h"\n')


def test_stop_waits_until_idle_consumers_are_gone(shop: Shell) -> None:
    seen = idle_consumer(shop)
    done = shop.run("stop")  # on stderr it says for whom it waits, if it has to
    assert (done.returncode, done.stdout) == (0, "1 consumer left\nthe next tick starts new consumers\n")
    assert process.start_of(seen.pid or 0) is None


def test_stop_lets_the_running_message_end(shop: Shell, busy: Path) -> None:
    stop = shop.start("stop")
    assert stop.stderr is not None
    assert stop.stderr.readline().startswith("waiting for all.0 (pid ")
    busy.touch()
    out, _ = stop.communicate(timeout=300)
    assert (out.splitlines()[0], shop.ready("high")) == ("1 consumer left", 0)


def test_stop_gives_up_waiting_at_its_timeout_and_names_who_is_busy(shop: Shell, busy: Path) -> None:
    text = shop.says("stop", "--timeout", "0.1", code=1)
    assert ("after 0.1s all.0 (pid" in text, ", busy for" in text) == (True, True)


def test_stop_can_go_without_waiting(shop: Shell, busy: Path) -> None:
    assert shop.says("stop", "--no-wait").startswith("asked 1 consumer to leave\n")
    assert shop.busy()


def test_stop_with_nobody_there_says_so(shop: Shell) -> None:
    assert shop.says("stop").startswith("no consumer was live\n")


def test_the_tick_after_a_plain_stop_starts_consumers(shop: Shell) -> None:
    shop.says("stop")
    assert idle_consumer(shop)


def test_no_tick_starts_anything_while_a_stop_is_in_force(shop: Shell) -> None:
    assert "nothing is started until" in shop.says("stop", "--for", "1h")
    assert "0 to start" in shop.says("tick", "--dry-run")


def test_a_consumer_that_a_tick_started_before_the_stop_does_not_stay(shop: Shell) -> None:
    """It comes to its slot after the stop has looked."""
    staying(shop)
    shop.says("stop", "--for", "1h")
    assert shop.run("consume", "all").returncode == 0


@pytest.mark.parametrize("words", [(), ("--for", "1h")], ids=["plain", "for an hour"])
@pytest.mark.parametrize("target", ["all", "all.0"])
def test_a_stop_reaches_a_consumer_that_was_started_and_has_no_slot_yet(
    shop: Shell, words: tuple[str, ...], target: str
) -> None:
    staying(shop)
    settings = load(shop.config, {})
    shop.state.prepare()
    started = consume_command(settings, shop.state, [target], shop.environ)
    shop.says("stop", *words)
    assert ran(started) == 0
    assert not os.path.exists(shop.state.log) or "consumes" not in Path(shop.state.log).read_text()


def test_one_that_is_started_after_a_stop_stays(shop: Shell) -> None:
    staying(shop)
    shop.says("stop")
    later = consume_command(load(shop.config, {}), shop.state, ["all"], shop.environ)
    process = subprocess.Popen(later.argv, cwd=later.cwd, env=later.env)
    assert wait_until(lambda: [one for one in shop.live() if one.note and one.note.state == "consuming"])
    process.terminate()
    assert process.wait(60) == 0


def test_what_tells_a_consumer_of_stops_is_not_handed_on_to_what_a_task_starts(shop: Shell) -> None:
    tasks, seen = shop.home / "shop" / "tasks.py", shop.home / "environ"
    look = "\n@app.task\ndef look(path: str) -> None:\n    print(*os.environ, file=open(path, 'w'), flush=True)\n"
    tasks.write_text(tasks.read_text() + look)
    shop.says("stop")
    shop.says("enqueue", "shop.tasks.look", str(seen))
    shop.says("tick")
    names = wait_until(lambda: seen.exists() and seen.read_text().split())
    assert "CRONQ_CONFIG" in names
    assert [name for name in names if "LAST_STOP" in name] == []


def ran(command: Command) -> int:
    return subprocess.run(command.argv, cwd=command.cwd, env=command.env, timeout=300, check=False).returncode


def test_a_plain_stop_leaves_a_longer_one_in_force(shop: Shell) -> None:
    shop.says("stop", "--for", "1h")
    assert "nothing is started until" in shop.says("stop")


def test_for_zero_ends_a_stop(shop: Shell) -> None:
    shop.says("stop", "--for", "1h")
    assert shop.says("stop", "--for", "0") == "the hold is over: the next tick starts consumers\n"
    assert idle_consumer(shop)


def test_for_zero_disturbs_nobody_when_nothing_is_held_back(shop: Shell) -> None:
    seen = idle_consumer(shop)
    assert shop.says("stop", "--for", "0") == "nothing was held back\n"
    assert [one.pid for one in shop.live()] == [seen.pid]


def test_the_stop_file_holds_the_wall_time_of_its_end(shop: Shell) -> None:
    before = time.time()
    shop.says("stop", "--for", "1h")
    assert before + 3600 <= float(read_text(shop.state.stop) or 0) + 0.001 <= time.time() + 3600.001


def test_a_successor_does_not_take_over_what_was_stopped(shop: Shell, busy: Path) -> None:
    successor = shop.start("consume", "all.0")
    wait_until(lambda: locks.holder_pid(shop.state.successor("all.0")) == successor.pid)
    shop.says("stop", "--no-wait")
    assert successor.wait(60) == -15


def test_web_processes_that_work_inline_are_not_signalled(shop: Shell, python: Starting) -> None:
    shop.state.prepare()
    web = python(
        "from cronq.host import locks; lock = locks.take(sys.argv[1]); say('at work'); sys.stdin.readline()",
        shop.state.slot("inline.0"),
    )
    assert says(web) == "at work"
    assert shop.says("stop").startswith("no consumer was live\n")
    assert web.poll() is None


def test_a_successor_that_a_tick_started_before_the_stop_does_not_stay(shop: Shell) -> None:
    """It comes to its slot after the stop has looked, and finds it free."""
    staying(shop)
    shop.says("stop", "--for", "1h")
    assert shop.start("consume", "all.0").wait(300) == 0
