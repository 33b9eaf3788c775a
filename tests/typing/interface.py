"""What type checkers make of a project's code: mypy and pyright, both strict, read this file; it is never run.

`assert_type` says what a thing is. A line that ends in `type: ignore` is wrong on purpose: both checkers complain where
it would not be needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from cronq import (
    CURRENT,
    RESULT,
    App,
    Box,
    Call,
    Context,
    LowPriority,
    Ref,
    Retry,
    WorkflowRef,
    batch,
    cron,
    handler,
    task,
)

app = App()


@app.task
def plain(to: str, subject: str = "Hi") -> int:
    return len(to + subject)


@app.task(queue="high", retry=Retry(max_attempts=5), timeout_s=30, result_ttl_s=60, unique="mail:{to}", label="to {to}")
def with_options(to: str) -> list[str]:
    return [to]


@app.task
def with_default(image_id: int, context: Context = CURRENT) -> str:
    return f"{image_id} {context.attempt}"


@app.task(timeout_s=None)
def with_leading(context: Context, image_id: int, *, size: int = 100) -> str:
    return f"{image_id} {size} {context.attempt}"


@app.task
async def asynchronous(url: str) -> bytes:
    return url.encode()


@app.task
async def asynchronous_with_leading(context: Context, url: str) -> bytes:
    return f"{context.task} {url}".encode()


@app.task
def of_anything(thing: Any) -> int:
    return len(thing)


@app.task
def nothing() -> None: ...


@app.task
def many(*numbers: int, unit: str = "") -> str:
    return f"{sum(numbers)} {unit}"


@dataclass(frozen=True)
class CreateZip(LowPriority):
    file_ids: list[int]


@app.handler
def create_zip(message: CreateZip, context: Context = CURRENT) -> None: ...


@app.handler(queue="low")
def count_zips(message: CreateZip) -> None: ...


@app.batch(size=50, queue="low")
def index(items: list[int]) -> None: ...


@cron("30 2 * * *")
@task(queue=("high", "low"), label="{path}")
def shared(path: str, context: Context = CURRENT) -> int:
    return len(path)


@handler
def shared_handler(message: CreateZip) -> None: ...


@batch(size=10)
def shared_batch(items: list[int]) -> None: ...


@app.on_failure
def tell(failure: dict[str, Any]) -> None: ...


@app.cron("30 2 * * *", tz="Europe/Berlin", missed="once")
@app.task
def nightly() -> None: ...


def what_callers_pass() -> None:
    assert_type(plain.enqueue("ada", subject="x"), Ref[int])
    assert_type(with_options.enqueue(to="ada"), Ref[list[str]])
    assert_type(with_default.enqueue(7), Ref[str])
    assert_type(with_default.enqueue(image_id=7), Ref[str])
    assert_type(with_leading.enqueue(7, size=50), Ref[str])
    assert_type(with_leading.enqueue(image_id=7), Ref[str])
    assert_type(asynchronous.enqueue("https://example.org"), Ref[bytes])
    assert_type(asynchronous_with_leading.enqueue(url="https://example.org"), Ref[bytes])
    assert_type(of_anything.enqueue(thing=7), Ref[int])
    assert_type(nothing.enqueue(), Ref[None])
    assert_type(many.enqueue(1, 2, 3, unit="kg"), Ref[str])
    assert_type(create_zip.enqueue(CreateZip([1])), Ref[None])
    assert_type(index.enqueue(7), Ref[None])


def what_comes_back() -> None:
    ref = plain.enqueue("ada")
    assert_type(ref.result, int)
    assert_type(ref.refresh().wait(5).result, int)
    assert_type(ref.status, str)
    assert_type(app.ref(ref), Ref[int])
    assert_type(plain.enqueue_many([(("ada",), {}), (("bob",), {"subject": "Hi"})]), list[Ref[int]])
    assert_type(plain.using(delay_s=60, priority=10, queue="low").enqueue("ada"), Ref[int])
    assert_type(shared.enqueue("a.png"), Ref[int])
    assert_type(shared("a.png"), int)
    shared_batch.enqueue(7)
    app.include("gallery.*")
    app.include(7)  # type: ignore[arg-type]
    shared.enqueue(7)  # type: ignore[arg-type]
    assert_type(plain.using(retry=Retry(2), timeout_s=5, result_ttl_s=60).enqueue("ada"), Ref[int])
    assert_type(plain.call("ada"), Call[int])
    assert_type(plain.call("ada").enqueue(), Ref[int])
    assert_type(plain.using(delay_s=60).call("ada"), Call[int])
    assert_type(app.enqueue(plain.call("ada"), CreateZip([1])), list[Ref[Any]])
    assert_type(app.dispatch(CreateZip([1]), delay_s=60), list[Ref[Any]])
    assert_type(app.chain(plain.call("ada"), with_default.call(RESULT)).enqueue(), WorkflowRef)
    assert_type(app.group(*plain.map(["ada", "bob"]), then=nothing.call()).enqueue(), WorkflowRef)


def what_a_plain_call_is() -> None:
    assert_type(plain("ada"), int)
    assert_type(with_default(7, Context.for_test(attempt=2)), str)


async def what_an_async_call_is() -> None:
    assert_type(await asynchronous("https://example.org"), bytes)
    assert_type(await asynchronous_with_leading("https://example.org"), bytes)


def what_a_box_is() -> None:
    with app.testing() as box:
        assert_type(box, Box)


def what_is_wrong() -> None:
    plain.enqueue(7)  # type: ignore[arg-type]
    plain.enqueue("ada", topic="x")  # type: ignore[call-arg]
    plain.enqueue()  # type: ignore[call-arg]
    with_leading.enqueue("seven")  # type: ignore[arg-type]
    with_leading.enqueue(Context.for_test(), 7)  # type: ignore[call-arg, arg-type]
    asynchronous.enqueue(7)  # type: ignore[arg-type]
    app.task(queu="high")  # type: ignore[call-overload]
    app.task(timeout_s="30s")  # type: ignore[call-overload]
    app.handler(retry=3)  # type: ignore[call-overload]
    app.batch(size=50, queu="low")  # type: ignore[call-arg]
    app.dispatch(CreateZip([1]), delay=60)  # type: ignore[call-arg]
    plain.using(delay="60s")  # type: ignore[call-arg]
    plain.using(retry=3)  # type: ignore[arg-type]
    plain.using(timeout_s="30s")  # type: ignore[arg-type]
    app.cron("30 2 * * *", missed="twice")  # type: ignore[arg-type]
    number: str = plain.enqueue("ada").result  # type: ignore[assignment]
    print(number)
