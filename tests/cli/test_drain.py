from __future__ import annotations

import os
import pty
import signal
from typing import TYPE_CHECKING

from tests.cli.conftest import shown
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


def test_drain_runs_everything_and_sums_it_up(shop: Shell) -> None:
    for number in range(12):
        shop.says("enqueue", "shop.tasks.add", str(number), "--queue", ("high", "low")[number % 2])
    assert shop.says("drain") == "ran 12 messages, 0 failed, 0 left in the queues\n"


def test_drain_exits_with_1_when_something_failed(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.boom", "x")
    shop.says("enqueue", "shop.tasks.add", "1", "--delay", "1h")
    assert shop.says("drain", code=1) == "ran 1 message, 1 failed, 1 left in the queues\n"


def test_drain_serves_only_the_queues_asked_for(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    assert shop.says("drain", "--queue", "high") == "ran 0 messages, 0 failed, 0 left in the queues\n"
    assert shop.ready("normal") == 1


def test_drain_refuses_a_queue_that_is_not_known(shop: Shell) -> None:
    assert "there are high, normal, low" in shop.says("drain", "--queue", "hihg", code=2)


def test_drain_runs_what_lies_in_queues_nobody_serves_any_more(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1", "--queue", "low")
    shop.config.write_text(shop.config.read_text().replace(', "low"', "") + "[inline]\nqueues = []\n")
    assert shop.says("drain").startswith("ran 1 message")


def test_drain_starts_no_other_process_for_a_long_backlog(shop: Shell) -> None:
    for number in range(8):
        shop.says("enqueue", "shop.tasks.add", str(number))
    shop.says("drain")
    assert "started a consumer" not in (shop.home / ".cronq" / "log" / "cronq.log").read_text()


def test_drain_works_beside_a_consumer_that_somebody_started(shop: Shell) -> None:
    shop.start("consume", "--queue", "high")
    wait_until(lambda: shop.live("adhoc"))
    shop.says("enqueue", "shop.tasks.add", "1")
    assert shop.says("drain").startswith("ran 1 message")


def test_ctrl_c_finishes_the_message_and_says_what_is_left(shop: Shell) -> None:
    end = shop.home / "end"
    shop.says("enqueue", "shop.tasks.until_there", str(end))
    shop.says("enqueue", "shop.tasks.add", "1")
    process = shop.start("drain")
    wait_until((shop.home / "end.begun").exists)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert [process.stderr.readline(), process.stderr.readline()] == ["\n", "finishing the message that runs\n"]
    end.touch()
    out, _ = process.communicate(timeout=300)
    assert out == "stopped (SIGINT received): ran 1 message, 0 failed, 1 left in the queues\n"


def test_a_terminal_gets_a_progress_bar(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    master, terminal = pty.openpty()
    done = shop.run("drain", stderr=terminal)
    is_drawn = shown(master, "1/1")
    os.close(master)
    os.close(terminal)
    assert (is_drawn, done.stdout) == (True, "ran 1 message, 0 failed, 0 left in the queues\n")


def test_an_app_that_cannot_be_imported_is_told_without_a_traceback(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("1 / 0\n")
    assert "ZeroDivisionError: division by zero (shop/tasks.py, line 1)" in shop.says("drain", code=2)
