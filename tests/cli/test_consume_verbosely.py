"""`cronq consume -v` tells what runs while it runs, and `-vv` with what."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_consume import enqueue
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

MORE = """
@app.task(isolated=True)
def apart(a: int = 1) -> int:
    return a

@app.task(result_ttl_s=60, isolated=True)
def kept(a: int = 1) -> int:
    return a + 41

@app.batch(size=3, wait_s=0.0)
def sums(items: list[int]) -> None:
    if 13 in items:
        raise ValueError("unlucky")

@app.task
def unclear(a: int = 1) -> object:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("no picture")
    return Odd()
"""


@pytest.fixture
def shop(shop: Shell) -> Shell:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write(MORE)
    return shop


def told(shop: Shell, *words: str) -> list[str]:
    """Consume until nothing is left, and return what was told, without times of day."""
    done = shop.run("consume", "--stop-when-empty", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in done.stdout.splitlines()]


def test_a_line_tells_that_a_message_begins_and_one_how_it_ended(shop: Shell) -> None:
    message_id = shop.says("enqueue", "shop.tasks.add", "1").strip()
    begins, done = told(shop, "-v")
    assert begins == f"shop.tasks.add {message_id[:16]} 1/3  begins"
    assert re.fullmatch(rf"shop.tasks.add {message_id[:16]} 1/3  done in \d+\.\d\ds", done)


def test_the_begin_is_told_while_the_message_runs(shop: Shell) -> None:
    end = shop.home / "end"
    shop.says("enqueue", "shop.tasks.until_there", str(end))
    consumer = shop.start("consume", "-v", "--stop-when-empty")
    assert consumer.stdout is not None
    assert consumer.stdout.readline().endswith("begins\n")
    assert shop.busy()
    end.touch()
    assert "done in" in consumer.communicate(timeout=60)[0]


def test_failures_are_told_with_their_reason_in_one_line_and_with_what_comes(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.boom", "no\nsuch")
    lines = told(shop, "-v", "--queue", "low")
    assert re.search(r" 1/1  failed in \d+\.\d\ds, given up: ValueError: no\\nsuch$", lines[1])
    enqueue(shop, "high", task="gone")
    assert any("shop.tasks.gone" in line and "given up" in line for line in told(shop, "-v", "--queue", "high"))


def test_a_failure_that_is_tried_again_says_when(shop: Shell) -> None:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write("@app.task(retry=Retry(max_attempts=2, delay_s=3600, jitter=0))\ndef later():\n    1 / 0\n")
    shop.says("enqueue", "shop.tasks.later")
    assert re.search(r" 1/2  failed in \d+\.\d\ds, again in 1h: ZeroDivisionError", told(shop, "-v")[1])


def test_twice_verbose_shows_arguments_and_results(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1", "2")
    lines = told(shop, "-vv")
    assert (lines[1], lines[3]) == ("    a=1, b=2", "    -> 3")


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        ("apart", "    -> not known here: it ran in another process, or with others"),
        ("kept", "    -> 42"),
        ("unclear", "    -> <Odd instance at 0x"),
    ],
)
def test_a_result_of_another_process_or_without_a_picture_breaks_nothing(shop: Shell, task: str, shown: str) -> None:
    shop.says("enqueue", f"shop.tasks.{task}")
    lines = told(shop, "-vv")
    assert lines[1] == "    no arguments"
    assert lines[3].startswith(shown)


def test_who_reads_may_go_and_the_work_goes_on(shop: Shell) -> None:
    enqueue(shop, "high", "normal", "low")
    consumer = shop.start("consume", "-v", "--stop-when-empty")
    assert consumer.stdout is not None
    consumer.stdout.close()
    assert consumer.wait(60) == 0
    assert wait_until(lambda: not shop.ready("high") + shop.ready("normal") + shop.ready("low"))


def test_each_message_of_a_batch_has_its_lines(shop: Shell) -> None:
    for number in (1, 2):
        shop.says("enqueue", "shop.tasks.sums", str(number))
    lines = told(shop, "-v")
    assert [line.split("  ")[1].split()[0] for line in lines] == ["begins", "begins", "done", "done"]


def test_nothing_is_told_and_nothing_imported_for_it_when_nobody_asks(shop: Shell) -> None:
    enqueue(shop, "high")
    assert told(shop) == []
    look = "import sys; from cronq.cli.entry import run; run(['consume', '--stop-when-empty']); "
    argv = [sys.executable, "-c", look + "print('cronq.cli.narrated_runner' in sys.modules)"]
    done = subprocess.run(argv, cwd=shop.home, env=shop.environ, check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
