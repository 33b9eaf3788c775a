from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell


def test_list_is_what_queues_does(shop: Shell) -> None:
    assert shop.says("queues") == shop.says("queues", "list")


def test_list_has_every_configured_queue_in_its_order(shop: Shell) -> None:
    assert [one["queue"] for one in shop.json("queues", "list")] == ["high", "normal", "low"]


def test_list_makes_nothing(shop: Shell) -> None:
    shop.says("queues")
    assert not os.path.exists(shop.state.path)


def test_list_counts_what_waits(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.says("enqueue", "shop.tasks.add", "1", "--delay", "1h")
    counts = {one["queue"]: (one["ready"], one["delayed"]) for one in shop.json("queues", "list")}
    assert counts == {"high": (0, 0), "normal": (1, 1), "low": (0, 0)}


def test_show_tells_the_rules_of_a_queue(shop: Shell) -> None:
    with shop.config.open("a") as file:
        file.write('[queues.low]\nmax_attempts = 7\ntimeout = "30s"\n')
    assert "max_attempts = 7, timeout_s = 30.0" in shop.says("queues", "show", "low")


def test_setup_makes_the_database(shop: Shell) -> None:
    assert shop.says("queues", "setup") == f"{shop.state.path}/queue.db is ready\n"
    assert os.path.exists(f"{shop.state.path}/queue.db")


def test_a_paused_queue_is_left_alone_until_it_is_resumed(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.says("queues", "pause", "normal")
    assert shop.says("drain").startswith("ran 0 messages, 0 failed, 1 left")
    assert "1 message ready" in shop.says("queues", "resume", "normal")
    assert shop.says("drain").startswith("ran 1 message, 0 failed, 0 left")


def test_resume_wakes_an_idle_consumer(shop: Shell) -> None:
    """It would look again after its `sleep`, an hour here."""
    shop.config.write_text(shop.config.read_text() + 'sleep = "1h"\ntime_limit = "1h"\n')
    shop.says("queues", "pause", "normal")
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.says("tick")
    wait_until(lambda: [one for one in shop.live() if one.note and one.note.state == "consuming"])
    shop.says("queues", "resume", "normal")
    assert wait_until(lambda: shop.ready("normal") == 0)


def test_flush_without_force_only_says_how_many(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    assert "would delete 1 message of normal" in shop.says("queues", "flush", "normal", code=2)
    assert shop.ready("normal") == 1


def test_flush_with_force_deletes_all_but_what_runs(shop: Shell, busy: Path) -> None:
    shop.says("enqueue", "shop.tasks.add", "1", "--queue", "high")
    text = shop.says("queues", "flush", "high", "--force")
    assert text == "deleted 1 message of high; 1 are being run\n"


@pytest.mark.parametrize("word", ["show", "pause", "resume", "flush"])
def test_a_queue_that_is_not_known_is_refused_with_those_that_are(shop: Shell, word: str) -> None:
    assert "'hihg': there is none of that name; there are high, normal, low" in shop.says(
        "queues", word, "hihg", code=2
    )


def test_a_queue_that_only_holds_messages_is_known_too(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1", "--queue", "low")
    shop.config.write_text(
        'app = "shop.tasks:app"\n[inline]\nqueues = []\n[[consumers]]\nname = "a"\nqueues = ["high"]\n'
    )
    assert [one["served_by"] for one in shop.json("queues", "list")] == [["a"], []]
