"""What a call returns without having run is not done: coroutines are run, all else is refused."""

from __future__ import annotations

import asyncio
import functools
import warnings
from contextlib import asynccontextmanager

import pytest

from cronq import ArgumentError, UsageError
from cronq.messages.message import Ack, Fail, State
from tests.consumer.batches import Batch
from tests.consumer.crew import Crew

RAN: list[str] = []


@pytest.fixture(autouse=True)
def complaints():
    """Python complains of coroutines that nobody has awaited when they are collected."""
    RAN.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


async def note(text: str) -> str:
    await asyncio.sleep(0)
    RAN.append(text)
    return text


def yielding():
    RAN.append("began")
    yield


async def yielding_later():
    yield


class Awaitable:
    def __await__(self):
        yield


async def twice():
    return note("ran")


def timed():
    return note("ran")


@pytest.mark.parametrize(
    "function",
    [
        lambda: note("ran"),
        timed,
        twice,
    ],
)
def test_a_coroutine_that_a_call_returns_is_run_however_it_is_hidden(bench, function):
    assert isinstance(bench.run(function), Ack)
    assert RAN == ["ran"]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: yielding() or 1, "a generator"),
        (lambda: yielding_later() or 1, "an asynchronous generator"),
        (lambda: Awaitable() or 1, "an awaitable"),
    ],
)
def test_what_nobody_runs_fails_for_good(bench, function, words):
    outcome = bench.run(function, result_ttl_s=60)
    assert (type(outcome), outcome.cause.error_class, RAN) == (Fail, "GiveUp", [])
    assert f"task shop.task: a call returned {words}" in outcome.cause.text


def test_a_coroutine_that_returns_a_generator_has_not_run_that(bench):
    async def task():
        return yielding()

    assert isinstance(bench.run(task), Fail)


@pytest.mark.parametrize("made", [note, lambda item: yielding()])
def test_a_batch_that_returns_what_has_not_run_fails_for_good(made):
    for inside in (lambda items: made("a"), lambda items: [made(str(item)) for item in items]):
        crew = Crew()
        batch = Batch(crew)
        batch.inside = inside
        batch.send(1, 2, 3)
        crew.step(2)
        assert ([one.error_class for one in crew.transport.browse(State.FAILED)], RAN) == (["GiveUp"] * 3, [])


@pytest.mark.parametrize(
    "function",
    [
        yielding,
        yielding_later,
        functools.partial(yielding),
        type("Yields", (), {"__call__": lambda self: (yield)})(),
    ],
)
def test_a_generator_is_refused_where_it_stands(bench, function):
    with pytest.raises(UsageError, match=r"runs nothing|cannot be a task"):
        bench.app.task(name="shop.task")(function)


def test_an_asynchronous_batch_is_refused_where_it_stands(bench):
    async def index(items: list[int]) -> None: ...

    with pytest.raises(UsageError, match="batch"):
        bench.app.batch(size=2, wait_s=1, name="shop.index")(index)


@asynccontextmanager
async def session(context):
    yield


@pytest.mark.parametrize("kind", ["around", "around_request", "reset", "disconnect", "before_enqueue"])
@pytest.mark.parametrize("hook", [note, yielding, yielding_later, functools.partial(note, "a")])
def test_a_hook_that_would_run_nothing_is_refused_where_it_stands(bench, kind, hook):
    with pytest.raises(UsageError, match=rf"@app\.{kind}: .* runs nothing"):
        getattr(bench.app, kind)(hook)


@pytest.mark.parametrize("kind", ["around", "around_request"])
def test_an_asynchronous_context_manager_is_refused_where_it_stands(bench, kind):
    with pytest.raises(UsageError, match=rf"@app\.{kind}: session is asynchronous"):
        getattr(bench.app, kind)(session)


def test_a_hook_that_returns_a_coroutine_is_reported(bench, monkeypatch):
    heard = []
    monkeypatch.setattr("cronq.events.listeners", [lambda name, facts: heard.append((name, facts.get("error")))])
    bench.app.reset(lambda: note("a"))
    assert isinstance(bench.run(lambda: None), Ack)
    assert "a call returned a coroutine" in str(dict(heard)["hook_failed"])


def hidden(function):
    """Hide that a function is a coroutine, as decorators of others do."""

    def decorated(*args):
        return function(*args)

    return decorated


def test_a_hook_that_turns_out_to_be_a_coroutine_is_refused_where_something_is_enqueued():
    crew = Crew()

    async def add(headers: dict[str, str]) -> None:
        RAN.append("never")

    crew.app.before_enqueue(hidden(add))
    with pytest.raises(UsageError, match=r"before_enqueue.*coroutine"):
        crew.task().enqueue(7)
    assert RAN == []


def test_a_key_or_label_that_turns_out_to_be_a_coroutine_is_no_text():
    crew = Crew()

    async def key(value: int) -> str:
        return str(value)

    for options in ({"unique": hidden(key)}, {"label": hidden(key)}):
        with pytest.raises(ArgumentError, match="must be text, not a coroutine"):
            crew.task(**options).enqueue(7)
