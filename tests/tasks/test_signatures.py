"""What cronq refuses at definition, enqueue or dispatch: in its own words, as a CronqError."""

from __future__ import annotations

import asyncio
import functools
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from cronq import CronqError, MaxRunning, Retry, RetryLater, Unique, UsageError
from cronq.errors import ArgumentError, OptionError
from cronq.messages.message import State
from cronq.tasks.context import Context  # noqa: TC001 - a hint that is read
from cronq.tasks.retry import Again
from tests.clocks import FakeClock
from tests.making import app as make_app

NAN, INF = float("nan"), float("inf")


@dataclass
class Order:
    id: int


def plain(x: int) -> int:
    return x


def handle(message: Order) -> None: ...


def each(items: list[int]) -> None: ...


def named_self(self: int) -> int:
    return self


def each_self(self: list[int]) -> None: ...


def named_name(name: int, task: str = "a", wanted: int = 1, args: int = 2, kwargs: int = 3) -> tuple:  # type: ignore[type-arg]  # on purpose
    return name, task, wanted, args, kwargs


def private(__y: int) -> None: ...


def private_rest(*__rest: int) -> None: ...


def private_keyword(*, __y: int = 1) -> None: ...


def private_variables(x: int) -> None:
    __y = x


def unresolved(message: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - on purpose


class Callee:
    def __call__(self, x: int) -> int:
        return x

    def method(self, x: int) -> int:
        return x

    @staticmethod
    def static(x: int) -> int:
        return x

    raw_class = classmethod(plain)  # type: ignore[arg-type, var-annotated]  # on purpose
    a_property = property(plain)


@functools.wraps(plain)
def wrapper(*args, **kwargs):
    return plain(*args, **kwargs)


@pytest.fixture
def app():
    return make_app(FakeClock())


def queued(app):
    return [record.message.body for record in app.transport.browse(State.READY)]


# functions


@pytest.mark.parametrize(
    "given",
    [
        functools.partial(plain, 1),
        functools.partialmethod(plain, 1),
        Callee(),
        vars(Callee)["raw_class"],
        Callee.a_property,
        int,
        type,
        sys,
        "text",
        5,
    ],
)
@pytest.mark.parametrize("kind", ["task", "handler", "batch"])
def test_what_is_no_function_is_refused_where_it_stands(app, kind, given):
    options = {"size": 2} if kind == "batch" else {}
    with pytest.raises(UsageError, match=r"write (one|a function) around it"):
        getattr(app, kind)(name="t", **options)(given)
    assert list(app.registry) == []


def test_a_callable_of_no_module_needs_a_name(app):
    with pytest.raises(UsageError, match="must be a function at the top of a module"):
        app.task({}.get)


@pytest.mark.parametrize(
    "given", [functools.lru_cache(plain), Callee().method, Callee.static, vars(Callee)["static"], wrapper, plain]
)
def test_what_works_as_a_function_is_one(app, given):
    with app.testing() as box:
        app.task(name="t")(given).enqueue(1)
        box.run_all()
        assert box.failed == []


@pytest.mark.parametrize("first", ["task", "handler", "batch"])
@pytest.mark.parametrize("second", ["task", "handler", "batch"])
def test_a_second_decorator_is_refused(app, first, second):
    function = {"task": plain, "handler": handle, "batch": each}[first]
    options = {name: {"size": 2} if name == "batch" else {} for name in (first, second)}
    task = getattr(app, first)(**options[first])(function)
    with pytest.raises(UsageError, match="is a task already: leave one of the two decorators away"):
        getattr(app, second)(**options[second])(task)


def test_a_handler_whose_hints_cannot_be_resolved_is_refused(app):
    with pytest.raises(UsageError, match="unresolved: its type hints cannot be resolved"):
        app.handler(unresolved)


@pytest.mark.parametrize("name", [5, "", "a\nb", b"t"])
@pytest.mark.parametrize("kind", ["task", "handler", "batch"])
def test_a_name_that_is_none_is_refused(app, kind, name):
    options = {"size": 2} if kind == "batch" else {}
    with pytest.raises(UsageError, match=r"name = .*: must be text"):
        getattr(app, kind)(name=name, **options)({"task": plain, "handler": handle, "batch": each}[kind])


# parameters


@pytest.mark.parametrize("function", [private, private_rest, private_keyword, functools.lru_cache(private)])
def test_a_parameter_that_no_message_can_hold_is_refused_where_it_stands(app, function):
    with pytest.raises(UsageError, match=r"parameter '__\w+' begins with two underscores, .* name it '\w+'"):
        app.task(function)


def test_what_a_function_keeps_to_itself_may_have_any_name(app):
    app.task(private_variables).enqueue(1)


def test_a_parameter_may_have_a_name_that_cronq_uses(app):
    with app.testing() as box:
        task, batch = app.task(named_self), app.batch(size=2)(each_self)
        for sent in (task, task.using(priority=1), task.call(self=1), task.using(priority=1).call(self=1)):
            sent.enqueue() if hasattr(sent, "args") else sent.enqueue(self=1)
        batch.enqueue(self=1)
        app.task(named_name).enqueue(name=1, task="b", wanted=2, args=3, kwargs=4)
        assert task(self=5) == 5
        asyncio.run(task.aenqueue(self=1))
        asyncio.run(task.using(priority=1).aenqueue(self=1))
        box.run_all()
        assert (len(box.messages), box.failed) == (8, [])


# calls


def raising():
    yield (1,), {}
    raise LookupError("mine")


@pytest.mark.parametrize(
    "calls",
    [
        None,
        5,
        [1],
        ["ab"],
        [((1,), {}, 3)],
        [((1,),)],
        [((1,), None)],
        [(1, {})],
        [("a", {})],
        [((), {1: 2})],
        [{1: 2}],
    ],
)
@pytest.mark.parametrize("options", [{}, {"unique": "{x}"}])
def test_calls_that_are_no_pairs_are_refused_and_none_is_enqueued(app, calls, options):
    task = app.task(name="t", **options)(plain)
    for enqueue_many in (task.enqueue_many, task.using(priority=1).enqueue_many):
        with pytest.raises(ArgumentError, match="task t: "):
            enqueue_many(calls)
    assert queued(app) == []


def test_what_an_iterator_raises_is_its_own_and_none_is_enqueued(app):
    with pytest.raises(LookupError, match="mine"):
        app.task(plain).enqueue_many(raising())
    assert queued(app) == []


def test_calls_may_be_lists_as_json_has_them(app):
    app.task(plain).enqueue_many([[[1], {}]])
    assert queued(app) == [b'{"x":1}']


def test_nothing_to_iterate_over_is_refused(app):
    with pytest.raises(ArgumentError, match="task t: 5 is no list"):
        app.task(name="t")(plain).map(5)


# messages


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Order, r"Order is a class: a message is an object of it, Order\(\.\.\.\)"),
        (5, "no handler for builtins.int"),
        (None, "no handler for builtins.NoneType"),
        (plain, "no handler for builtins.function"),
    ],
)
@pytest.mark.parametrize("how", ["dispatch", "enqueue"])
def test_what_is_no_message_is_refused(app, how, given, says):
    app.handler(handle)
    with pytest.raises(UsageError, match=says):
        getattr(app, how)(given)


def test_a_call_and_a_task_are_no_messages(app):
    task = app.task(name="t")(plain)
    with pytest.raises(UsageError, match=r"a call of t is no message: call\.enqueue\(\)"):
        app.dispatch(task.call(1))
    for how in (app.dispatch, app.enqueue):
        with pytest.raises(UsageError, match=r"<Task t> is no message: t\.enqueue\(\.\.\.\)"):
            how(task)


def test_a_ref_of_what_is_no_id_is_refused(app):
    with pytest.raises(UsageError, match="5 is no id of a message"):
        app.ref(5)


# options


@pytest.mark.parametrize(
    "option",
    [
        {"queue": 5},
        {"queue": ""},
        {"unique": 3},
        {"retry": 3},
        {"timeout_s": "30s"},
        {"timeout_s": True},
        {"timeout_s": NAN},
        {"inline": "no"},
        {"ack_first": 1},
        {"result_ttl_s": None},
        {"result_ttl_s": NAN},
        {"isolated": 3},
        {"debounce_s": None},
        {"max_running": "x"},
        {"rate": 5},
        {"on_failure": 5},
        {"priority": "x"},
    ],
)
@pytest.mark.parametrize("kind", ["task", "handler", "batch"])
def test_an_option_of_a_wrong_type_is_refused_where_it_stands(app, kind, option):
    options = {"size": 2, **option} if kind == "batch" else option
    (name,) = option
    with pytest.raises(UsageError, match=rf"task .*{name}"):
        getattr(app, kind)(**options)({"task": plain, "handler": handle, "batch": each}[kind])
    assert list(app.registry) == []


@pytest.mark.parametrize(
    "delivery",
    [
        {"queue": 5},
        {"queue": ""},
        {"delay_s": "x"},
        {"delay_s": None},
        {"delay_s": True},
        {"delay_s": NAN},
        {"at": 5},
        {"at": datetime(2030, 1, 1)},
        {"priority": "x"},
        {"expires_s": "1"},
        {"expires_s": NAN},
        {"headers": 5},
        {"headers": [("a", "b")]},
        {"headers": {"a": 5}},
        {"headers": {1: "a"}},
        {"unique": 3},
        {"debounce_s": None},
        {"immediately": "no"},
    ],
)
def test_a_delivery_of_a_wrong_type_is_refused_with_whose_it_is(app, delivery):
    app.handler(handle)
    (name,) = delivery
    with pytest.raises(OptionError, match=f"task t: .*{name}"):
        app.task(name="t")(plain).using(**delivery)
    with pytest.raises(OptionError, match=f"dispatch of Order: .*{name}"):
        app.dispatch(Order(1), **delivery)
    with pytest.raises(OptionError, match=f"dispatch of Order: .*{name}"):
        asyncio.run(app.adispatch(Order(1), **delivery))


def test_a_delivery_that_is_not_known_is_refused_with_those_that_are(app):
    with pytest.raises(OptionError, match="dispatch of Order: there is no option 'queu'; there are queue, delay_s"):
        app.dispatch(Order(1), queu="low")


@pytest.mark.parametrize(
    "made",
    [
        lambda: Retry(max_attempts="x"),  # type: ignore[arg-type]  # on purpose
        lambda: Retry(delay_s=NAN),
        lambda: Retry(retry_on=5),  # type: ignore[arg-type]  # on purpose
        lambda: Retry(retry_on=["a b"]),
        lambda: Unique(3),  # type: ignore[arg-type]  # on purpose
        lambda: Unique("k", "x"),
        lambda: Unique("k", NAN),
        lambda: Unique("k", replace="x"),  # type: ignore[arg-type]  # on purpose
        lambda: Unique("{"),
        lambda: MaxRunning("x"),  # type: ignore[arg-type]  # on purpose
        lambda: MaxRunning(1, 5),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_policies_and_keys_that_cannot_be_meant_are_cronq_errors(made):
    with pytest.raises(CronqError) as caught:
        made()
    assert isinstance(caught.value, OptionError)


@pytest.mark.parametrize("key", [lambda: "x", lambda x: 1 / 0])
def test_the_function_of_a_key_that_fails_is_named(app, key):
    with pytest.raises(ArgumentError, match=r"task t: the key of unique: its function, .* raised \w+Error"):
        app.task(name="t", unique=key)(plain).enqueue(1)


# what a task asks for while it runs


@pytest.mark.parametrize("delay_s", ["x", -1, NAN, INF, True, timedelta(days=5000), 1e15])
def test_retry_later_with_a_delay_that_is_none_ends_the_attempt_with_that(app, delay_s):
    def later() -> None:
        raise RetryLater(delay_s)

    with app.testing() as box:
        app.task(name="later", retry=Retry(1))(later).enqueue()
        with pytest.raises(OptionError, match="RetryLater: delay_s = "):
            box.run_all()


def test_retry_later_of_a_subclass_without_a_delay_waits_as_the_policy_says():
    class Odd(RetryLater):
        def __init__(self) -> None: ...

    assert Retry(delay_s=7, jitter=0).decide(1, Odd()) == Again(7)


@pytest.mark.parametrize("delay_s", ["x", -1, NAN, None, timedelta(days=5000)])
def test_a_slice_that_goes_on_after_what_is_no_time_ends_with_that(app, delay_s):
    def slices(context: Context) -> object:
        return context.continue_later(1, delay_s)

    with app.testing() as box:
        app.task(name="slices", retry=Retry(1))(slices).enqueue()
        with pytest.raises(OptionError, match="delay_s = "):
            box.run_all()
