from __future__ import annotations

import runpy
import subprocess
import sys
import textwrap
from datetime import timedelta
from typing import Any

import pytest

from cronq import CURRENT, ArgumentError, Context, GiveUp, Retry, UsageError
from cronq.config.settings import Queue
from cronq.errors import NoResult, UnknownTaskError
from cronq.tasks.options import Delivery, Options, with_queue_settings
from cronq.tasks.registry import Registry
from cronq.tasks.task import name_of
from tests.clocks import FakeClock
from tests.making import app as make_app


def send(to: str, subject: str = "Hi") -> str:
    return f"{subject} {to}"


def other(to: str) -> None: ...


class Mailer:
    @staticmethod
    def send(to: str) -> None: ...


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def app(clock):
    return make_app(clock)


def only_message(app):
    from cronq.messages.message import State

    (record,) = [record for state in (State.READY, State.DELAYED) for record in app.transport.browse(state)]
    return record.message


# calling and naming


def test_a_plain_call_runs_the_task_here_and_now(app):
    task = app.task(send)
    assert task("ada", subject="now") == "now ada"
    assert app.transport.counts() == []


def test_a_task_looks_like_its_function(app):
    task = app.task(send)
    assert (task.__name__, task.__wrapped__, repr(task)) == ("send", send, f"<Task {__name__}.send>")


@pytest.mark.parametrize(("function", "name"), [(send, f"{__name__}.send"), (Mailer.send, f"{__name__}.Mailer.send")])
def test_a_task_s_name_is_where_consumers_find_it(function, name):
    assert name_of(function) == name


def test_a_function_that_no_import_reaches_is_refused():
    def inner(): ...

    for function in (inner, lambda: None):
        with pytest.raises(UsageError, match="must be a function at the top of a module"):
            name_of(function)


def test_a_name_can_be_given(app):
    assert app.task(name="mail")(lambda: None).name == "mail"


MAIN = """
from cronq.tasks.task import name_of
def send(): ...
print(name_of(send))
"""


def test_a_script_s_tasks_have_the_name_that_an_import_would_give(tmp_path):
    (tmp_path / "shop_tasks.py").write_text(MAIN)
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "jobs.py").write_text(MAIN)
    (package / "__main__.py").write_text(MAIN)
    for words, name in [
        (["shop_tasks.py"], "shop_tasks.send"),
        (["-m", "shop_tasks"], "shop_tasks.send"),
        (["-m", "shop.jobs"], "shop.jobs.send"),
        (["-m", "shop"], "shop.send"),
    ]:
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == name


def test_a_module_run_by_path_names_its_tasks_by_that_path(tmp_path, capsys):
    (tmp_path / "jobs.py").write_text(MAIN)
    assert runpy.run_path(str(tmp_path / "jobs.py"))["__name__"] == "<run_path>"
    assert capsys.readouterr().out.strip() == "<run_path>.send"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timeout_s": 0}, "timeout_s = 0: must be seconds"),
        ({"timeout_s": 8 * 86400}, "at most a week"),
        ({"result_ttl_s": -1}, "result_ttl_s = -1"),
        ({"retry": 3}, r"retry = 3: must be a cronq\.Retry, such as Retry\(max_attempts=5\)"),
        ({"priorty": 3}, "there is no option 'priorty'; there are queue, retry, timeout_s"),
        ({"timeout_s": "30s"}, "timeout_s = '30s': must be a number of seconds, such as 60"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_with_the_task_s_name(app, options, says):
    with pytest.raises(UsageError, match=f"task send: .*{says}"):
        app.task(**options)(send)


@pytest.mark.parametrize(
    "wrong",
    [{"delay_s": -1}, {"delay_s": 1e12}, {"expires_s": 0}, {"priority": 1.5}, {"priority": True}, {"priority": 10**7}],
)
def test_a_delivery_that_cannot_be_meant_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} = "):
        Delivery(**wrong)


@pytest.mark.parametrize("name", ["delay_s", "expires_s"])
def test_a_delivery_in_no_seconds_is_refused_with_what_would_be_right(name):
    wrong: dict[str, Any] = {name: timedelta(minutes=1)}
    with pytest.raises(TypeError, match=rf"{name} = datetime.*must be a number of seconds: write \.total_seconds\(\)"):
        Delivery(**wrong)


@pytest.mark.parametrize(
    ("changes", "most", "expected"),
    [
        ({}, None, Retry(3, delay_s=5)),
        ({}, 7, Retry(7, delay_s=5)),
        ({"delay_s": 9.0}, None, Retry(3, delay_s=9.0)),
        ({"max_attempts": 2.0}, None, Retry(2, delay_s=5)),
        ({"max_attempts": 2.0}, 7, Retry(7, delay_s=5)),
    ],
)
def test_a_queue_changes_only_what_it_names(changes, most, expected):
    assert with_queue_settings(Retry(3, delay_s=5), changes, most) == expected


def each(to: str):
    yield to


async def each_later(to: str):
    yield to


@pytest.mark.parametrize("function", [each, each_later])
def test_a_function_that_a_call_does_not_run_is_refused(app, function):
    with pytest.raises(UsageError, match=f"{function.__name__}: a call of a generator function runs nothing"):
        app.task(function)


# the registry


def test_two_tasks_of_one_name_are_refused(app):
    app.task(name="mail")(send)
    with pytest.raises(UsageError, match=r"two tasks are named mail: give one of them @app\.task\(name=\.\.\.\)"):
        app.task(name="mail")(other)


def test_the_same_function_may_be_registered_twice(app):
    app.task(send)
    app.task(queue="high")(send)
    assert [task.options.queue for task in app.registry] == ["high"]


ALL = "this app has mailing.send, shop.tasks.broken, shop.tasks.subtotals, shop.tasks.total"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("shop.tasks.totl", "did you mean shop.tasks.total?"),
        ("shop.task.total", "did you mean shop.tasks.total?"),
        ("total", "did you mean shop.tasks.total?"),
        ("totla", "did you mean shop.tasks.total?"),
        ("orders.total", "did you mean shop.tasks.total?"),
        ("shop.tasks.totals", "did you mean shop.tasks.total or shop.tasks.subtotals?"),
        ("shop.tasks.tolat", "did you mean shop.tasks.total?"),
        ("shop.tasks.refund", ALL),
        ("shop.tasks", ALL),
        ("shop.tasks.", ALL),
        ("", ALL),
    ],
)
def test_only_tasks_whose_function_is_near_are_suggested_not_all_of_a_module(app, given, said):
    for name in ("shop.tasks.total", "shop.tasks.broken", "shop.tasks.subtotals", "mailing.send"):
        app.task(name=name)(lambda: None)
    with pytest.raises(UnknownTaskError) as told:
        app.registry.get(given)
    assert str(told.value) == f"no task is named {given}; {said}"


def test_many_tasks_are_counted_and_not_listed(app):
    for number in range(6):
        app.task(name=f"shop.send{number}")(lambda: None)
    with pytest.raises(UnknownTaskError, match="this app has 6 tasks"):
        app.registry.get("charge")


def test_an_unknown_task_is_told_with_the_nearest_names(app):
    app.task(name="shop.send_mail")(send)
    with pytest.raises(UnknownTaskError, match=r"no task is named shop\.sendmail; did you mean shop\.send_mail\?"):
        app.registry.get("shop.sendmail")
    with pytest.raises(UnknownTaskError, match=r"no task is named x; this app has 0 tasks"):
        Registry().get("x")


# enqueueing


def test_enqueueing_writes_the_call_down(app):
    ref = app.task(retry=Retry(5))(send).enqueue("ada", subject="Ho")
    message = only_message(app)
    assert (message.id, message.queue, message.task) == (ref.id, "normal", f"{__name__}.send")
    assert (message.body, message.attempt, message.max_attempts) == (b'{"to":"ada","subject":"Ho"}', 0, 5)
    assert (message.available_at, message.expires_at, message.headers) == (0.0, None, b"")


def test_a_message_remembers_the_attempts_of_its_queue(clock):
    app = make_app(clock, queues={"normal": Queue("normal", max_attempts=9)})
    app.task(send).enqueue("ada")
    assert only_message(app).max_attempts == 9


def test_using_changes_how_a_call_is_delivered(app, clock):
    app.task(send).using(queue="low", delay_s=60, priority=10, expires_s=3600, headers={"user": "1"}).enqueue("ada")
    message = only_message(app)
    assert (message.queue, message.priority, message.headers) == ("low", 10, b'{"user": "1"}')
    assert (message.available_at, message.expires_at) == (clock.now() + 60, clock.now() + 3600)


def test_using_leaves_the_task_as_it_was(app):
    task = app.task(send)
    task.using(queue="low")
    task.enqueue("ada")
    assert only_message(app).queue == "normal"


def test_many_calls_are_put_in_order(app):
    refs = app.task(send).enqueue_many([(("ada",), {}), (("bob",), {"subject": "Ho"})])
    from cronq.messages.message import State

    assert [record.message.id for record in app.transport.browse(State.READY)] == [ref.id for ref in refs]


def test_one_wrong_call_of_many_enqueues_none(app):
    with pytest.raises(ArgumentError):
        app.task(send).enqueue_many([(("ada",), {}), ((5,), {})])
    assert app.transport.counts() == []


def test_no_calls_are_no_messages(app):
    assert app.task(send).enqueue_many([]) == []


@pytest.mark.parametrize("queue", ["hihg", "emails"])
def test_a_queue_that_nobody_serves_is_refused_with_those_that_are(app, queue):
    with pytest.raises(UsageError, match=f"queue '{queue}': .* would wait for ever; served are high, low, normal"):
        app.task(send).using(queue=queue).enqueue("ada")


def test_without_groups_any_queue_is_taken(clock):
    app = make_app(clock, groups=())
    app.task(send).using(queue="whatever").enqueue("ada")
    assert only_message(app).queue == "whatever"


# hooks


def test_hooks_add_headers_that_the_task_sees(app):
    @app.before_enqueue
    def who(headers):
        headers["user"] = "ada"

    app.task(send).using(headers={"trace": "1"}).enqueue("bob")
    assert only_message(app).headers == b'{"trace": "1", "user": "ada"}'


def test_a_hook_that_fails_enqueues_nothing(app):
    @app.before_enqueue
    def fail(headers):
        raise LookupError

    with pytest.raises(LookupError):
        app.task(send).enqueue("ada")
    assert app.transport.counts() == []


# refs


def test_a_ref_follows_its_message(app, clock):
    from cronq.messages.message import Ack, Release
    from cronq.transports.exchange import Want

    ref = (
        app.task(
            send,
        )
        .using(delay_s=10)
        .enqueue("ada")
    )
    seen = [ref.status]
    clock.advance(10)
    (got,) = app.transport.exchange("me", [], Want(["normal"], 1e12, 1, 1)).messages
    seen.append(ref.refresh().status)
    (got,) = app.transport.exchange("me", [Release(got, error="boom")], Want(["normal"], 1e12, 1, 2)).messages
    assert ref.refresh().error == "boom"
    app.transport.exchange("me", [Ack(got, b'{"a":[1]}', 60)], None)
    seen.append(ref.refresh().status)
    assert ref.result == {"a": [1]}
    clock.advance(61)
    app.transport.prune(0, 10)
    seen.append(ref.refresh().status)
    assert seen == ["delayed", "reserved", "done", "gone"]
    assert ref.error is None
    with pytest.raises(NoResult, match="it has finished or was removed, and nothing was kept of it"):
        _ = ref.result


def test_refresh_returns_the_ref(app):
    ref = app.task(send).enqueue("ada")
    assert ref.refresh() is ref
    assert repr(ref) == f"<Ref {ref.id}>"


# sync://


@pytest.fixture
def here(clock):
    return make_app(clock, transport="sync://")


def test_sync_runs_the_task_before_enqueue_returns(here):
    ran = []

    def keep(to):
        ran.append(to)
        return to

    here.task(name="t")(keep).enqueue("ada")
    assert ran == ["ada"]
    assert here.transport.counts() == []


@pytest.mark.parametrize("error", [ValueError("boom"), GiveUp("no"), SystemExit(3)])
def test_under_sync_a_task_s_exception_reaches_the_caller(here, error):
    def fail():
        raise error

    with pytest.raises(type(error)) as caught:
        here.task(name="t")(fail).enqueue()
    assert caught.value is error
    assert [counts.failed for counts in here.transport.counts()] == [1]


def test_under_sync_a_result_is_there_at_once(here):
    assert here.task(name="t", result_ttl_s=60)(lambda: 42).enqueue().result == 42


def test_under_sync_a_task_may_enqueue_another(here):
    ran = []
    inner = here.task(name="inner")(lambda: ran.append("inner"))

    def outer():
        inner.enqueue()
        ran.append("outer")

    here.task(name="outer")(outer).enqueue()
    assert ran == ["outer", "inner"]  # what it enqueues goes out when it has succeeded


def test_under_sync_arguments_make_the_same_way_as_ever(here):
    with pytest.raises(ArgumentError):
        here.task(name="t")(send).enqueue(5)


def test_options_have_the_defaults_of_the_documentation():
    assert Options() == Options(None, Retry(3, 1.0, 2.0, 3600.0, 0.1), None, True, False, 0.0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"isolated": "yes"}, "isolated = 'yes': must be True or False"),
        ({"capture_output": 1}, "capture_output = 1: must be True or False"),
        ({"isolated": True, "memory_mb": 8}, "memory_mb = 8: must be a whole number of MB from 16"),
        ({"isolated": True, "memory_mb": 99.5}, "memory_mb = 99.5: must be a whole number of MB"),
        ({"memory_mb": 256}, "memory_mb needs isolated=True"),
        ({"capture_output": True}, "capture_output needs isolated=True"),
    ],
)
def test_an_isolation_that_cannot_be_is_refused_at_registration(options, complaint):
    with pytest.raises(UsageError) as refused:
        make_app().task(name="t", **options)(send)
    assert complaint in str(refused.value)


# what importing costs

BUDGET = """
import sys
import cronq
from cronq import Retry, HighPriority, GiveUp
heavy = ("msgspec", "click", "psutil", "sqlite_utils", "filelock", "croniter", "blinker", "asyncio", "subprocess")
print([name for name in heavy if name in sys.modules])
from cronq import App
app = App()
@app.task(name="t")
def task(x: int): ...
print([name for name in heavy if name in sys.modules])
"""


def test_importing_and_declaring_tasks_imports_nothing_heavy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BUDGET)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_an_unknown_public_name_is_an_attribute_error():
    import cronq

    with pytest.raises(AttributeError, match="module 'cronq' has no attribute 'Job'"):
        cronq.Job  # noqa: B018
    assert all(getattr(cronq, name) for name in cronq.__all__)


def test_a_plain_call_leaves_the_context_out_as_callers_do(app):
    def leading(context: Context, a: int = 1, *, b: int = 2) -> tuple[int, int, int]:
        return a, b, context.attempt

    def trailing(a: int, context: Context) -> tuple[int, int]:
        return a, context.attempt

    def by_name(a: int, *, context: Context) -> tuple[int, int]:
        return a, context.attempt

    def defaulted(a: int, context: Context = CURRENT) -> tuple[int, int]:
        return a, context.attempt

    third = Context.for_test(attempt=3)
    first = app.task(name="shop.leading")(leading)
    assert [first(), first(7), first(a=7, b=8), first(third, 7)] == [(1, 2, 1), (7, 2, 1), (7, 8, 1), (7, 2, 3)]
    assert app.task(name="shop.trailing")(trailing)(7) == (7, 1)
    assert app.task(name="shop.by_name")(by_name)(7) == (7, 1)
    assert app.task(name="shop.by_name")(by_name)(7, context=third) == (7, 3)
    assert app.task(name="shop.defaulted")(defaulted)(7) == (7, 1)


def test_what_stands_in_for_a_context_is_passed_on(app):
    def look(context: Context) -> object:
        return context

    assert app.task(name="shop.look")(look)("a stand-in") == "a stand-in"
    assert app.task(name="shop.look")(look)() is CURRENT


def test_a_context_for_a_test_is_what_the_test_says():
    context = Context.for_test(
        task="shop.x", attempt=2, headers={"user": "ada"}, cursor=[7], should_stop=True, deadline=5.0
    )
    assert (context.task, context.attempt, context.headers, context.cursor) == ("shop.x", 2, {"user": "ada"}, [7])
    assert (context.should_stop, context.deadline, CURRENT.should_stop) == (True, 5.0, False)
