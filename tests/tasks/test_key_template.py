from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq import MaxRunning, Unique
from cronq.errors import ArgumentError, OptionError, UsageError
from cronq.messages.message import State
from cronq.tasks.key_template import filled, read
from tests.clocks import FakeClock
from tests.making import app as make_app


@dataclass
class Product:
    number: str = "7"


@dataclass
class Stock:
    product: str
    of: Product = field(default_factory=Product)

    @property
    def broken(self) -> str:
        raise LookupError("no stock")


def key_of(template: str, **arguments: object) -> str:
    return filled("t", template, lambda: arguments)


@pytest.mark.parametrize(
    ("template", "arguments", "key"),
    [
        ("plain", {}, "plain"),
        ("mail:{to}", {"to": "ada"}, "mail:ada"),
        ("mail:{to}", {"to": "a:b"}, "mail:a:b"),  # nothing follows that it could be taken for
        ("{to}:", {"to": "a:"}, "a::"),
        ("{a}:{b}", {"a": "1", "b": "2"}, "1:2"),
        ("{a}:{b}", {"a": "1\\", "b": "\\2"}, "1\\:\\2"),
        ("{{{a}}}-{b}", {"a": 1, "b": None}, "{1}-None"),
        ("{a}{{}}{b}", {"a": 1, "b": 2}, "1{}2"),
        ("x{a}{b}", {"a": Decimal("1.50"), "b": True}, "x1.50True"),
        ("{a} to {b}", {"a": "auto", "b": "to"}, "auto to to"),
        ("s:{m.product}", {"m": Stock("mug")}, "s:mug"),
        ("s:{m.of.number}:{m.product}", {"m": Stock("mug")}, "s:7:mug"),
    ],
)
def test_keys_of_older_releases_are_what_they_were(template, arguments, key):
    assert key_of(template, **arguments) == key
    assert template.replace("m.of", "m").count("{m.") or template.format_map(arguments) == key


@pytest.mark.parametrize(
    ("template", "one", "another"),
    [
        ("{a}:{b}", ("1:2", "3"), ("1", "2:3")),
        ("{a}:{b}", ("1:", "2"), ("1", ":2")),
        ("{a}:{b}", ("1\\", "2:3"), ("1:2\\", "3")),
        ("k-{a}-{b}", ("1-2", "3"), ("1", "2-3")),
        ("{a} to {b}", ("1 to 2", "3"), ("1", "2 to 3")),
        ("{a}x{b}", ("1x2", "3"), ("1", "2x3")),
        ("{a}\\{b}", ("1\\", "2"), ("1", "\\2")),
        ("{a}}}{b}", ("1}2", "3"), ("1", "2}3")),
        ("{a}%\\{b}", ("1%\\2", "3"), ("1", "2%\\3")),
    ],
)
def test_other_arguments_make_another_key(template, one, another):
    first, second = (key_of(template, a=a, b=b) for a, b in (one, another))
    assert first != second


texts = st.text("a:\\%x- ", max_size=5)


@given(
    template=st.sampled_from(["{a}:{b}", "{a}\\{b}", "{a}%{b}", "{a}x{b}", "{a}: {b}", "{a}:-{b}"]),
    one=st.tuples(texts, texts),
    another=st.tuples(texts, texts),
)
def test_two_calls_have_one_key_only_when_they_have_the_same_values(template, one, another):
    first, second = (key_of(template, a=a, b=b) for a, b in (one, another))
    assert (first == second) == (one == another)


@given(one=st.tuples(texts, texts, texts), another=st.tuples(texts, texts, texts))
def test_so_it_is_with_several_separators(one, another):
    first, second = (key_of("{a}:{b}-{c}", a=a, b=b, c=c) for a, b, c in (one, another))
    assert (first == second) == (one == another)


@pytest.mark.parametrize(
    "key", ["{", "}", "{}", "{0}", "{a!r}", "{a:>3}", "{a[0]}", "{a.}", "{.a}", "{a..b}", "{a b}", "{a.0}", "{a.b:x}"]
)
def test_braces_around_anything_else_are_refused(key):
    with pytest.raises(OptionError, match="key"):
        Unique(key)
    with pytest.raises(OptionError, match="key"):
        MaxRunning(1, key)


@pytest.mark.parametrize("value", [Stock("x"), SimpleNamespace(), None, {"product": 1}])
def test_a_field_that_an_argument_lacks_is_refused_with_the_call(value):
    with pytest.raises(ArgumentError, match=r"task t: key 's:{m\.colour}': \w+ has no field 'colour'"):
        key_of("s:{m.colour}", m=value)


def test_a_field_that_cannot_be_had_is_refused_with_why():
    with pytest.raises(ArgumentError, match=r"Stock has no field 'broken' \(LookupError: no stock\)"):
        key_of("s:{m.broken}", m=Stock("x"))


def test_a_template_knows_its_parameters():
    assert read("unique", "{a}:{m.of.number}").parameters == ["a", "m"]


# at tasks


@pytest.fixture
def app():
    return make_app(FakeClock())


def keys(app):
    return [(one.message.unique_key, one.message.running_key) for one in app.transport.browse(State.READY)]


def handle(message: Stock) -> None: ...


def pair(a: str, b: str) -> None: ...


def test_a_handler_s_keys_may_name_fields_of_its_message(app):
    app.handler(name="h", unique="s:{message.product}", max_running=MaxRunning(1, "{message.of.number}"))(handle)
    for product in ("mug", "mug", "cup"):
        app.dispatch(Stock(product))
    assert keys(app) == [("h s:mug", "7"), ("h s:cup", "7")]


def test_a_call_s_key_may_name_a_field(app):
    app.task(name="h")(handle).using(unique="{message.product}").enqueue(Stock("mug"))
    assert keys(app) == [("h mug", None)]


def test_a_field_of_what_is_no_parameter_is_refused_where_the_task_is_made(app):
    with pytest.raises(UsageError, match="'order' is none of its parameters"):
        app.handler(unique="{order.product}")(handle)


def test_calls_that_differ_only_in_where_they_are_cut_are_two_messages(app):
    task = app.task(name="t", unique="{a}:{b}", max_running=MaxRunning(1, "{a}:{b}"))(pair)
    refs = [task.enqueue(*args) for args in (("1:2", "3"), ("1", "2:3"), ("1:2", "3"))]
    assert refs[0].id == refs[2].id != refs[1].id
    assert keys(app) == [("t 1\\:2:3", "1\\:2:3"), ("t 1:2\\:3", "1:2\\:3")]


def test_blanks_at_the_end_of_a_value_tell_calls_apart(app):
    task = app.task(name="t", unique="{a}{b}")(pair)
    assert task.enqueue("x", "").id != task.enqueue("x", " ").id
