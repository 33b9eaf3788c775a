from __future__ import annotations

import os
import pty
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from cronq.messages.message import State
from cronq.supervisor import slots
from tests.cli.conftest import shown
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell


def test_a_project_that_never_ticked_is_said_to_be_so(shop: Shell) -> None:
    assert "cron  has never ticked" in shop.says("status")


def test_a_tick_that_was_not_told_where_the_project_is_says_so(shell: Shell) -> None:
    """Cron starts in $HOME: a line without --config must not make a second installation there."""
    assert "there is no cronq.toml in" in shell.says("tick", code=1)
    assert "there is no cronq.toml in" in shell.says("status", code=1)
    assert not (shell.home / ".cronq").exists()


def test_looking_makes_nothing(shop: Shell) -> None:
    shop.says("status")
    assert not os.path.exists(shop.state.path)


def test_messages_that_wait_without_cron_are_a_trouble(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    assert "! cron has never ticked, and 1 message waits" in shop.says("status", code=1)


def test_a_dead_cron_is_a_trouble(shop: Shell) -> None:
    shop.says("tick")
    now = time.time()
    ticks = "".join(f"{now - ago:.3f}\n" for ago in (500, 440, 380, 320))
    (shop.home / ".cronq" / "ticks").write_text(ticks)
    said = shop.says("status", code=1)
    found = re.search(r"! cron seems dead: the last tick was (\d+)m(\d+)?s? ago and one should come every 1m:", said)
    assert found is not None, said
    assert 320 <= 60 * int(found[1]) + int(found[2] or 0) <= time.time() - now + 321


def test_a_live_consumer_is_shown(shop: Shell) -> None:
    shop.says("tick")
    [seen] = wait_until(lambda: [one for one in shop.live("all") if one.note and one.note.state == "consuming"])
    assert f"all.0  pid {seen.pid}  idle" in shop.says("status")


def test_a_busy_consumer_is_shown_with_its_numbers(shop: Shell, busy: Path) -> None:
    data = shop.json("status")
    [worker] = data["groups"][0]["live"]
    assert (worker["doing"], worker["busy_s"] >= 0, worker["memory_mb"] > 5) == ("busy", True, True)
    running = worker["running"]
    assert running.pop("since") == pytest.approx(data["at"] - worker["busy_s"], abs=0.1)
    assert running == {"task": "shop.tasks.until_there", "id": message_id(shop), "label": None}
    assert {queue["name"]: queue["reserved"] for queue in data["queues"]} == {"high": 1, "normal": 0, "low": 0}


def test_what_a_consumer_is_busy_with_is_named_below_it(shop: Shell, busy: Path) -> None:
    lines = shop.says("status").splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("  all.0  pid ")]
    assert re.search(r"  busy for \d+s  ", lines[at])
    assert lines[at + 1] == f"    shop.tasks.until_there {message_id(shop)}"


def test_a_label_names_the_message_that_runs(shop: Shell) -> None:
    tasks = shop.home / "shop" / "tasks.py"
    tasks.write_text(tasks.read_text().replace('@app.task(queue="high")', '@app.task(queue="high", label="to {path}")'))
    end = shop.home / "end"
    shop.says("enqueue", "shop.tasks.until_there", str(end))
    shop.says("tick")
    wait_until(shop.busy)
    assert f"    shop.tasks.until_there {message_id(shop)} (to {end})\n" in shop.says("status")
    end.touch()


def message_id(shop: Shell) -> str:
    (record,) = shop.app().transport.browse(State.RESERVED)
    return record.message.id


def test_why_the_app_cannot_be_imported_is_shown(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("import no_such_thing\n")
    shop.says("tick")

    def told() -> str | None:
        found = shop.run("status", "--json")
        return found.stdout if found.returncode else None

    data = wait_until(told)
    assert "group all is broken: importing shop.tasks:app failed: ModuleNotFoundError" in data


def test_a_back_off_is_shown_until_the_next_start(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("import no_such_thing\n")
    shop.says("tick")
    wait_until(lambda: shop.run("status").returncode)
    wait_until(lambda: not any(seen.is_live for seen in slots.survey(shop.state)))
    shop.says("tick", code=1)
    assert "backs off after 1 young death, next start in" in shop.says("status", code=1)


def test_what_is_wrong_is_told_in_lines_that_fit_the_terminal(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("import no_such_thing\n")
    shop.says("tick")
    wait_until(lambda: shop.run("status").returncode)
    shop.environ["COLUMNS"] = "60"
    first, *others = shop.says("status", code=1).partition("! ")[2].splitlines()
    assert first.startswith("group all is broken: importing shop.tasks:app failed:")
    assert [line[:2] for line in others] == ["  "] * len(others)
    assert others
    assert max(map(len, [first, *others])) <= 60


def test_the_project_is_not_imported(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("raise SystemExit('imported')\n")
    assert "imported" not in shop.says("status")


def test_a_stop_in_force_is_shown(shop: Shell) -> None:
    shop.says("stop", "--for", "1h")
    assert "nothing is started until" in shop.says("status")


def test_failures_are_counted(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.boom", "x")
    shop.says("drain", code=1)
    assert "1 message in the failure queue" in shop.says("status")


def test_colours_stay_on_terminals(shop: Shell) -> None:
    assert "\x1b" not in shop.says("status")


def test_json_and_watch_do_not_go_together(shop: Shell) -> None:
    assert "not both" in shop.says("status", "--watch", "--json", code=2)


def hears_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore SIGINT, and this run of the tests may be such."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_watch_draws_until_ctrl_c(shop: Shell) -> None:
    master, terminal = pty.openpty()
    process = shop.start("status", "--watch", stdout=terminal, preexec_fn=hears_ctrl_c)
    try:
        assert shown(master, "never ticked")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        os.close(master)
        os.close(terminal)


@pytest.mark.parametrize("word", ["status", "queues"])
def test_a_wrong_configuration_is_told_in_one_line_each(shop: Shell, word: str) -> None:
    shop.config.write_text("max_processes = 0\n")
    assert shop.says(word, code=2).startswith(f"cronq: {shop.config}: max_processes = 0: must be")
