from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

CALLS = """
import asyncio, contextlib, dataclasses, datetime, sys, threading
from cronq import App, Context, CURRENT, GiveUp, Retry, Unique

app = App.from_config("cronq.toml")
steps = []

@app.before_enqueue
def tenant(headers):
    headers["tenant"] = "42"

@app.around
@contextlib.contextmanager
def around(context):
    steps.append(f"in {context.headers['tenant']} {context.task} {bool(context.message_id)}")
    yield
    steps.append("out")

@app.reset
def reset():
    print("reset", steps)

@dataclasses.dataclass
class Order:
    number: int
    at: datetime.date

@app.task
def bill(order: Order, *, gross: bool = False) -> dict:
    return {"kind": type(order).__name__, "year": order.at.year, "gross": gross, "steps": list(steps)}

@app.task(queue="high")
def asks(label: str, context: Context = CURRENT) -> list:
    return [label, context.queue, context.attempt, context.max_attempts, context.deadline, context.should_stop]

@app.task(timeout_s=1)
async def later(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"

@app.task
async def breaks(text: str) -> None:
    await asyncio.sleep(0)
    raise KeyError(text)

@app.task
def slices(upto: int, context: Context = CURRENT):
    done = (context.cursor or 0) + 1
    bill.enqueue(Order(done, datetime.date(2026, 1, done)))
    return done if done == upto else context.continue_later(done, delay_s=3600)

@app.batch(size=10)
def index(items: list[int]) -> list[int]:
    return [item * 2 for item in items]

@app.task
def prints(text: str):
    print(text)

@app.task
def returns_what_is_no_json() -> object:
    return threading.Lock()

@app.task(unique="x", max_running=1, retry=Retry(max_attempts=5))
def orders_then_fails(number: int) -> None:
    bill.enqueue(Order(number, datetime.date(2026, 1, 1)))
    raise_it()

def raise_it():
    try:
        {}["missing"]
    except KeyError as error:
        raise GiveUp("no \\x1b[31m stock") from error

@app.task
def leaves(code: int) -> None:
    sys.exit(code)

@app.on_failure
def told(failure) -> None: ...
"""


@pytest.fixture
def calls(shop: Shell) -> Shell:
    (shop.home / "calls.py").write_text(CALLS)
    shop.config.write_text(shop.config.read_text().replace("shop.tasks:app", "calls:app"))
    return shop


def result(shell: Shell, *words: str) -> object:
    done = shell.run("run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def traceback(shell: Shell, *words: str) -> list[str]:
    done = shell.run("run", *words)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr[done.stderr.index("Traceback") :].splitlines()


def test_the_result_is_printed_as_json_and_no_queue_is_made(shop: Shell) -> None:
    assert shop.says("run", "shop.tasks.add", "1", "b=2") == "3\n"
    assert not (shop.home / ".cronq").exists()


def test_arguments_are_read_by_the_hints_and_hooks_go_around_the_call(calls: Shell) -> None:
    words = ("calls.bill", '{"number": 7, "at": "2026-03-01"}', "gross=true")
    assert result(calls, *words) == {
        "kind": "Order",
        "year": 2026,
        "gross": True,
        "steps": ["in 42 calls.bill True"],
    }
    assert "reset ['in 42 calls.bill True', 'out']" in calls.run("run", *words).stderr


def test_the_context_is_that_of_a_first_attempt(calls: Shell) -> None:
    assert result(calls, "calls.asks", "x") == ["x", "high", 1, 3, None, False]


def test_a_coroutine_is_run_to_its_end(calls: Shell) -> None:
    assert result(calls, "calls.later", "0.01") == "slept"


def test_slices_follow_one_another_and_what_each_enqueues_is_sent(calls: Shell) -> None:
    assert result(calls, "calls.slices", "3") == 3
    assert calls.ready("normal") == 3


def test_a_batch_task_is_called_with_one_item(calls: Shell) -> None:
    assert result(calls, "calls.index", "4") == 8


def test_what_the_task_prints_is_apart_from_its_result(calls: Shell) -> None:
    done = calls.run("run", "calls.prints", "hello")
    assert (done.stdout, "hello" in done.stderr) == ("null\n", True)


def test_a_result_that_is_no_json_is_told_and_no_failure(calls: Shell) -> None:
    done = calls.run("run", "calls.returns_what_is_no_json")
    assert (done.returncode, done.stdout) == (0, "")
    assert "the result, a lock, cannot be written as JSON" in done.stderr


def test_a_failure_is_shown_from_the_first_line_of_the_project_on(calls: Shell) -> None:
    lines = traceback(calls, "calls.orders_then_fails", "1")
    assert not any("/cronq/" in line for line in lines)
    last = max(index for index, line in enumerate(lines) if line.startswith("Traceback"))
    assert "calls.py" in lines[last + 1]
    assert "orders_then_fails" in lines[last + 1]
    assert "KeyError: 'missing'" in lines
    assert lines[-1] == "cronq.errors.GiveUp: no \\x1b[31m stock"


def test_nothing_is_enqueued_by_what_failed_not_even_a_callback(calls: Shell) -> None:
    traceback(calls, "calls.orders_then_fails", "1")
    assert not (calls.home / ".cronq").exists()


def test_a_coroutine_s_failure_shows_no_event_loop(calls: Shell) -> None:
    lines = traceback(calls, "calls.breaks", "x")
    assert lines[0] == "Traceback (most recent call last):"
    assert "calls.py" in lines[1]
    assert not any("asyncio" in line and "File" in line for line in lines)
    assert lines[-1] == "KeyError: 'x'"


def test_a_batch_item_that_failed_is_told_in_its_own_words(calls: Shell) -> None:
    text = (calls.home / "calls.py").read_text()
    partly = "raise PartlyFailed({0: ValueError('bad item')})"
    (calls.home / "calls.py").write_text(
        text.replace("return [item * 2 for item in items]", partly).replace("GiveUp,", "GiveUp, PartlyFailed,")
    )
    done = calls.run("run", "calls.index", "4")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "ValueError: bad item"
    assert "/cronq/" not in done.stderr


def test_leaving_is_a_failure_as_it_is_for_a_consumer(calls: Shell) -> None:
    assert traceback(calls, "calls.leaves", "0")[-1] == "SystemExit: 0"


def test_ack_first_cannot_go_on_later(calls: Shell) -> None:
    text = (calls.home / "calls.py").read_text()
    (calls.home / "calls.py").write_text(text.replace("@app.task\ndef slices", "@app.task(ack_first=True)\ndef slices"))
    assert "task calls.slices: it cannot go on later" in calls.says("run", "calls.slices", "3", code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "1"), "did you mean shop.tasks.add?"),
        (("qqqqqq",), "this app has shop.tasks.add, shop.tasks.boom"),
        (("shop.tasks.add", "one"), "argument 'a'"),
        (("shop.tasks.add",), "missing a required argument"),
        (("shop.tasks.add", "1", "b=1", "b=2"), "'b' is given twice"),
        ((), "Missing argument 'TASK'"),
        (("shop.tasks.add", "1", "--delay", "5"), "No such option"),
    ],
)
def test_wrong_use_is_refused_with_what_would_be_right(shop: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in shop.says("run", *words, code=2)


def test_a_queue_that_cannot_take_what_was_enqueued_is_told_without_a_traceback(calls: Shell) -> None:
    calls.environ["CRONQ_TRANSPORT"] = "memory://"
    assert "would be lost" in calls.says("run", "calls.slices", "1", code=2)


def test_the_queue_need_not_be_there(shop: Shell) -> None:
    (shop.home / ".cronq").write_text("no directory")
    assert shop.says("run", "shop.tasks.add", "1") == "2\n"
    (shop.home / ".cronq").unlink()


def test_an_import_that_fails_is_told_as_everywhere(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("1 / 0\n")
    assert "importing it failed: ZeroDivisionError" in shop.says("run", "shop.tasks.add", "1", code=2)


def test_ctrl_c_ends_it(shop: Shell) -> None:
    import signal

    from tests.waiting import wait_until

    path = shop.home / "end"
    process = shop.start("run", "shop.tasks.until_there", str(path), stderr=sys.stderr)
    wait_until((shop.home / "end.begun").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 1
