"""`cronq consume`: the road of the tick and the one with options, and that each option has an effect."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cronq.messages.ids import new_id
from cronq.messages.message import Message
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

GIVEN_UP = 'sleep = "1h"\ntime_limit = "1h"\n'
"""Nobody leaves by itself, and who is idle looks again only when woken."""


@pytest.fixture
def shop(shop: Shell) -> Shell:
    add(shop, GIVEN_UP)
    return shop


def add(shop: Shell, text: str) -> None:
    with shop.config.open("a") as file:
        file.write(text)


def enqueue(shop: Shell, *queues: str, task: str = "add") -> None:
    """Put a message into each of these queues, and wake nobody."""
    body = b'{"text":"no"}' if task == "boom" else b'{"a":1}'
    app = shop.app()
    app.state.prepare()
    app.transport.enqueue(
        [Message(id=new_id(), queue=queue, task=f"shop.tasks.{task}", body=body, max_attempts=1) for queue in queues]
    )
    app.transport.close()


def left(shop: Shell) -> dict[str, int]:
    return {one.queue: one.ready for one in shop.app().transport.counts() if one.ready}


def log(shop: Shell) -> str:
    return Path(shop.state.log).read_text()


def ended(shop: Shell, *words: str) -> str:
    """Consume until there is a reason to leave, silently and with 0, and return what the log says of that."""
    process = shop.start("consume", *words)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
    return log(shop).splitlines()[-1]


def refused(shop: Shell, *words: str) -> str:
    """See that it is wrong use, told in a moment: what is not refused would consume for an hour."""
    process = shop.start("consume", *words)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, "Traceback" in err) == (2, "", False), err
    return err


def consuming(shop: Shell, slot: str, pid: int) -> bool:
    return wait_until(
        lambda: any(
            seen.name == slot and seen.live_note and seen.live_note.state == "consuming" and seen.pid == pid
            for seen in shop.live()
        )
    )


@pytest.mark.parametrize("words", [["all"], ["--queue", "high"], []], ids=["group", "queue", "every queue"])
def test_it_runs_what_waits_and_what_comes_until_it_is_told_to_leave(shop: Shell, words: list[str]) -> None:
    enqueue(shop, "high")
    consumer = shop.start("consume", *words)
    wait_until(lambda: not left(shop))
    shop.says("enqueue", "shop.tasks.add", "1", "--queue", "high")
    wait_until(lambda: not left(shop))
    consumer.send_signal(signal.SIGTERM)
    assert consumer.communicate(timeout=60) == ("", "")
    assert consumer.returncode == 0
    assert "SIGTERM received" in log(shop)


def test_a_group_is_consumed_for_in_one_of_its_slots(shop: Shell) -> None:
    consuming(shop, "all.0", shop.start("consume", "all").pid)


def test_a_slot_is_taken_over_from_whoever_holds_it(shop: Shell) -> None:
    before = shop.start("consume", "all")
    consuming(shop, "all.0", before.pid)
    consuming(shop, "all.0", shop.start("consume", "all.0").pid)
    assert before.wait(60) == 0


def test_a_group_whose_slots_are_taken_needs_no_other_consumer(shop: Shell) -> None:
    consuming(shop, "all.0", shop.start("consume", "all").pid)
    assert shop.says("consume", "all") == ""
    assert shop.says("consume", "all", "--limit", "1") == ""


def test_of_several_groups_one_consumer_each_comes_out_of_one_process(shop: Shell) -> None:
    add(shop, '[[consumers]]\nname = "other"\nqueues = ["other"]\n')
    enqueue(shop, "high", "other")
    assert shop.start("consume", "all", "other", "--stop-when-empty").wait(60) == 0
    wait_until(lambda: log(shop).count("all queues are empty") == 2)
    assert left(shop) == {}
    assert "all.0 leaves after 1 messages" in log(shop)
    assert "other.0 leaves after 1 messages" in log(shop)


def test_limits_hold_for_each_of_several_groups(shop: Shell) -> None:
    add(shop, '[[consumers]]\nname = "other"\nqueues = ["other"]\n')
    enqueue(shop, "high", "high", "other", "other")
    assert shop.start("consume", "all", "other", "--limit", "1", "--stop-when-empty").wait(60) == 0
    wait_until(lambda: log(shop).count("1 messages run") == 2)
    assert left(shop) == {"high": 1, "other": 1}


def test_stop_when_empty_leaves_when_nothing_is_ready(shop: Shell) -> None:
    enqueue(shop, "normal", "normal")
    assert ended(shop, "all", "--stop-when-empty").endswith("after 2 messages, 0 failed: all queues are empty")


def test_without_a_group_all_queues_of_all_groups_are_served(shop: Shell) -> None:
    add(shop, '[[consumers]]\nname = "other"\nqueues = ["other"]\n')
    enqueue(shop, "low", "other", "high")
    assert "adhoc.0 leaves after 3 messages" in ended(shop, "--stop-when-empty")


def test_where_there_are_no_groups_the_queues_of_web_processes_are_served(shop: Shell) -> None:
    shop.config.write_text('app = "shop.tasks:app"\nconsumers = []\n[inline]\nqueues = ["low"]\n')
    enqueue(shop, "low", "high")
    assert "adhoc.0 leaves after 1 messages" in ended(shop, "--stop-when-empty")
    assert left(shop) == {"high": 1}


def test_queue_serves_that_queue_only(shop: Shell) -> None:
    enqueue(shop, "high", "normal")
    ended(shop, "--queue", "normal", "--stop-when-empty")
    assert left(shop) == {"high": 1}


def test_several_queues_are_served_in_the_order_given(shop: Shell) -> None:
    enqueue(shop, "high", "low", "normal")
    ended(shop, "--queue", "low", "--queue", "high", "--limit", "1")
    assert left(shop) == {"high": 1, "normal": 1}


def test_limit_leaves_after_so_many_messages(shop: Shell) -> None:
    enqueue(shop, *["normal"] * 3)
    assert ended(shop, "all", "--limit", "2", "--stop-when-empty").endswith("2 messages run")
    assert left(shop) == {"normal": 1}


def test_failure_limit_leaves_after_so_many_failed_attempts(shop: Shell) -> None:
    enqueue(shop, *["low"] * 3, task="boom")
    assert ended(shop, "all", "--failure-limit", "2", "--stop-when-empty").endswith("2 attempts failed")
    assert left(shop) == {"low": 1}


def test_time_limit_leaves_after_so_long(shop: Shell) -> None:
    assert ended(shop, "all", "--time-limit", "1s").endswith("time limit reached")


def test_a_limit_of_idle_time_is_not_slept_over(shop: Shell) -> None:
    """It would be late by up to `sleep`."""
    text = shop.config.read_text().replace("{ min = 1", "{ min = 0")
    shop.config.write_text(f'max_processes = 1\n{text}linger = "0.5s"\n')
    assert "idle, and every place of the account is taken" in ended(shop, "all")


def test_memory_limit_leaves_when_larger(shop: Shell) -> None:
    enqueue(shop, "normal")
    assert "memory limit reached" in ended(shop, "all", "--memory-limit", "16", "--stop-when-empty")
    assert "of 16 MB" in log(shop)


def test_sleep_looks_again_though_nothing_wakes_it(shop: Shell) -> None:
    consumer = shop.start("consume", "all", "--sleep", "1s")
    consuming(shop, "all.0", consumer.pid)
    enqueue(shop, "normal")
    assert wait_until(lambda: not left(shop), timeout_s=30)


def test_what_the_configuration_says_holds_where_no_option_is_given(shop: Shell) -> None:
    add(shop, "limit = 2\n")
    enqueue(shop, *["normal"] * 3)
    assert ended(shop, "all", "--stop-when-empty").endswith("2 messages run")
    assert ended(shop, "all", "--limit", "1").endswith("1 messages run")


def test_consumers_started_by_hand_are_not_counted(shop: Shell) -> None:
    shop.config.write_text("max_processes = 1\n" + shop.config.read_text())
    consuming(shop, "all.0", shop.start("consume", "all").pid)
    enqueue(shop, "high")
    consuming(shop, "adhoc.0", shop.start("consume", "--queue", "other").pid)


def test_a_project_that_cannot_be_imported_is_told_with_1(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("import nowhere_to_be_found\n")
    for words in (["all"], ["all", "--limit", "1"], ["all", "all", "--stop-when-empty"]):
        done = shop.run("consume", *words)
        assert (done.returncode, "No module named 'nowhere_to_be_found'" in done.stderr) == (1, True)


@pytest.mark.parametrize("words", [["al"], ["al", "--limit", "1"], ["all", "al"], ["all.x"]], ids=" ".join)
def test_an_unknown_group_is_refused_with_those_there_are(shop: Shell, words: list[str]) -> None:
    assert "no such consumer group; [[consumers]] has all" in refused(shop, *words)
    assert not shop.live()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["all", "--queue", "high"], "give a group or --queue, not both"),
        (["--queue", "a b"], "--queue: "),
        (["--limit", "0"], "'--limit': 0 must be a whole number from 1"),
        (["--failure-limit", "no"], "'--failure-limit': no must be a whole number from 1"),
        (["--memory-limit", "7"], "'--memory-limit': 7 must be a whole number of MB from 16"),
        (["--time-limit", "soon"], "'--time-limit': "),
        (["--sleep", "soon"], "'--sleep': "),
        (["all", "--wait"], "No such option '--wait'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(shop: Shell, words: list[str], said: str) -> None:
    assert said in refused(shop, *words)
    assert not Path(shop.state.path).exists()


@pytest.mark.parametrize("words", [["all"], ["all", "--limit", "1"]], ids=" ".join)
def test_a_configuration_that_is_not_there_is_named(shop: Shell, words: list[str]) -> None:
    assert "gone.toml" in refused(shop, *words, "--config", "gone.toml")
    assert "gone.toml" in shop.says("--config", "gone.toml", "consume", *words, code=2)


def test_help_names_every_option_and_consumes_nothing(shop: Shell) -> None:
    enqueue(shop, "high")
    text = shop.says("consume", "all", "--help")
    options = "--queue --limit --time-limit --memory-limit --failure-limit --sleep --stop-when-empty --config"
    assert [one for one in options.split() if f"  {one} " not in text] == []
    assert left(shop) == {"high": 1}


def test_only_options_make_click_needed(shop: Shell) -> None:
    """Asked for a group that is unknown, so that nothing is left running."""
    assert not shop.imports_click("consume", "nowhere", "--config", "cronq.toml", code=2)
    assert shop.imports_click("consume", "nowhere", "--limit", "1", code=2)


def test_both_roads_read_the_configuration_they_are_given(shop: Shell) -> None:
    (shop.home / "other.toml").write_text(shop.config.read_text().replace('"all"', '"other"'))
    for words in (["all"], ["all", "--limit", "1"]):
        said = refused(shop, *words, "--config", "other.toml")
        assert "no such consumer group; [[consumers]] has other" in said


def test_ctrl_c_lets_the_message_that_runs_finish(shop: Shell) -> None:
    path = shop.home / "end"
    shop.says("enqueue", "shop.tasks.until_there", str(path))
    consumer = shop.start("consume", "all")
    wait_until((shop.home / "end.begun").exists)
    consumer.send_signal(signal.SIGINT)
    path.touch()
    assert consumer.wait(60) == 0
    assert "all.0 leaves after 1 messages, 0 failed: SIGINT received" in log(shop)
    assert has_ended(consumer.pid)
