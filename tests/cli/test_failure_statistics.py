"""`cronq failed list --stats` and `cronq messages show --log`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cronq.cli import message_log
from cronq.cli.message_log import log_of
from tests.cli.test_failed import give_up

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import Shell


def test_failures_are_counted_by_task_and_class_over_all_queues_the_most_first(shop: Shell) -> None:
    give_up(shop, error_class="KeyError", task="shop.tasks.add")
    for queue in ("low", "high"):
        give_up(shop, queue=queue)
    first, second = shop.json("failed", "list", "--stats")
    assert (first["task"], first["error_class"], first["count"]) == ("shop.tasks.boom", "ValueError", 2)
    assert (second["task"], second["error_class"], second["count"]) == ("shop.tasks.add", "KeyError", 1)
    assert first["last_at"] > second["last_at"]
    head, line, _, whole = shop.says("failed", "list", "--stats").splitlines()
    assert head.split() == ["failed", "task", "error", "last"]
    assert line.split()[:3] == ["2", "shop.tasks.boom", "ValueError"]
    assert line.endswith(" ago")
    assert whole == "3 messages"


def test_filters_hold_for_the_counts_and_a_bound_is_said(shop: Shell) -> None:
    give_up(shop, error_class="KeyError")
    give_up(shop)
    give_up(shop)
    (found,) = shop.json("failed", "list", "--stats", "--error", "ValueError")
    assert found["count"] == 2
    assert shop.says("failed", "list", "--stats", "--limit", "2").endswith(
        "2 messages; those that failed the longest ago were counted\n"
    )


def test_counting_makes_nothing(shop: Shell) -> None:
    assert shop.json("failed", "list", "--stats") == []
    assert not (shop.home / ".cronq").exists()


def test_the_log_of_a_message_comes_from_the_rotated_file_too(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.boom", "hi")
    shop.says("enqueue", "shop.tasks.boom", "other")
    shop.says("drain", code=1)
    first, _ = shop.json("failed", "list")
    log = Path(shop.state.log)
    log.rename(f"{log}.1")
    shop.says("failed", "retry", first["id"])
    shop.says("drain", code=1)
    lines = shop.json("messages", "show", first["id"][:16], "--log")["log"]
    assert [first["id"] in line and "failure queue: ValueError: hi" in line for line in lines] == [True, True]
    shown = shop.says("messages", "show", first["id"], "--log")
    assert shown.index("event log\n") < shown.index(f"  {lines[0]}\n") < shown.index(f"  {lines[1]}\n")


def test_the_log_of_a_message_that_is_gone_is_shown_alone(shop: Shell) -> None:
    message_id = shop.says("enqueue", "shop.tasks.boom", "hi").strip()
    shop.says("drain", code=1)
    shop.says("failed", "remove", message_id, "--yes")
    assert "failure queue: ValueError: hi" in shop.says("messages", "show", message_id, "--log")
    assert len(shop.json("messages", "show", message_id, "--log")["log"]) == 1
    assert "there is no message" in shop.says("messages", "show", "0" * 32, "--log", code=2)


def test_a_message_of_which_the_log_has_nothing_says_why(shop: Shell) -> None:
    message_id = shop.says("enqueue", "shop.tasks.add", "1").strip()
    assert "not what succeeded" in shop.says("messages", "show", message_id, "--log")


def test_a_log_that_is_rotated_meanwhile_is_read_once(shop: Shell) -> None:
    log = Path(shop.state.log)
    log.parent.mkdir(parents=True)
    log.write_text("of 0195\n")
    Path(f"{log}.1").hardlink_to(log)
    assert log_of(shop.state, "0195") == ["of 0195"]


def test_of_very_many_lines_the_last_are_shown(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_log, "MOST", 2)
    log = Path(shop.state.log)
    log.parent.mkdir(parents=True)
    log.write_text("1 of 0195\n2 of 0195\n3 of 0195\n3 of 0196\n")
    assert log_of(shop.state, "0195") == ["2 of 0195", "3 of 0195"]
