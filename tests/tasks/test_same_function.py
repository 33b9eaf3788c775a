from __future__ import annotations

import functools
import importlib.util
import sys

import pytest

from cronq import UsageError
from cronq.errors import UnknownTaskError
from cronq.tasks.same_function import is_same
from tests.clocks import FakeClock
from tests.making import app as make_app

MODULE = """
import functools
from dataclasses import dataclass

class Quiet:
    pass

@dataclass
class Order:
    id: int

def plain(x=Quiet()): return x

def timed(function):
    @functools.wraps(function)
    def wrapper(*args): return function(*args)
    return wrapper

@timed
def wrapped(x): return x

@functools.lru_cache
def cached(x): return x

partial = functools.partial(plain, 5)

def handle(message: Order) -> None: ...
"""


@pytest.fixture
def app():
    return make_app(FakeClock())


@pytest.fixture
def loaded(tmp_path):
    """Load one file as a module, as often as it is called."""
    path = tmp_path / "shop_of_twins.py"
    path.write_text(MODULE)

    def load(name: str):
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in ("twin_a", "twin_b"):
        sys.modules.pop(name, None)


def scaler(factor):
    def scale(x: int) -> int:
        return x * factor

    return scale


def scaler_by_default(factor):
    def scale(x: int, factor: int = factor) -> int:
        return x * factor

    return scale


def scaler_by_keyword(factor):
    def scale(x: int, *, factor: int = factor) -> int:
        return x * factor

    return scale


def wrapping(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


def plain(x: int) -> int:
    return x


def other(x: int) -> int:
    return x


class Callee:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, x: int) -> int:
        return x * self.factor

    def method(self, x: int) -> int:
        return x * self.factor


class Holder:
    def __init__(self, x: int) -> None:
        self.x = x


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (scaler(2), scaler(3)),
        (scaler_by_default(2), scaler_by_default(3)),
        (scaler_by_keyword(2), scaler_by_keyword(3)),
        (scaler(1), scaler(True)),
        (scaler([1]), scaler([2])),
        (scaler(plain), scaler(other)),
        (lambda x: 1, lambda x: 2),
        (plain, other),
        (wrapping(plain), wrapping(other)),
        (wrapping(scaler(2)), wrapping(scaler(3))),
        (wrapping(plain), plain),
        (functools.lru_cache(plain), functools.lru_cache(other)),
        (functools.lru_cache(scaler(2)), functools.lru_cache(scaler(3))),
        (Callee(2).method, Callee(3).method),
        (print, len),
        (Callee, Holder),
    ],
)
def test_two_functions_under_one_name_are_refused(app, one, another):
    app.task(name="scale")(one)
    with pytest.raises(
        UsageError, match=r"^two tasks are named scale: give one of them @app\.task\(name=\.\.\.\); they"
    ):
        app.task(name="scale")(another)
    assert [task.function for task in app.registry] == [one]


@pytest.mark.parametrize(
    ("one", "again"),
    [
        (plain, plain),
        (scaler(2), scaler(2)),
        (scaler_by_default(2), scaler_by_default(2)),
        (scaler(plain), scaler(plain)),
        (wrapping(plain), wrapping(plain)),
        (functools.lru_cache(plain), functools.lru_cache(plain)),
        (print, print),
    ],
)
def test_one_function_may_be_registered_twice(app, one, again):
    app.task(name="t")(one)
    app.task(name="t", queue="high")(again)
    assert [task.options.queue for task in app.registry] == ["high"]


def test_a_redefinition_in_one_module_is_refused_with_where_both_are(app):
    first, second = {"__name__": "shop"}, {"__name__": "shop"}
    exec(compile("def f(x): return x", "shop.py", "exec"), first)  # noqa: S102
    exec(compile("\n\ndef f(x): return x", "shop.py", "exec"), second)  # noqa: S102
    app.task(first["f"])
    with pytest.raises(UsageError, match=r"two tasks are named shop\.f: .* made in shop\.py:1 and shop\.py:3"):
        app.task(second["f"])


@pytest.mark.parametrize("name", ["plain", "wrapped", "cached"])
def test_a_module_that_is_imported_twice_has_each_function_once(app, loaded, name):
    one, twin = (getattr(loaded(module), name) for module in ("twin_a", "twin_b"))
    assert one is not twin
    assert is_same(one, twin)
    for function in (one, twin):
        app.task(name=name)(function)
    assert [task.function for task in app.registry] == [twin]


def test_a_reloaded_module_has_each_function_once(loaded):
    module = loaded("twin_a")
    before = (module.wrapped, module.cached)
    module.__spec__.loader.exec_module(module)
    assert all(map(is_same, before, (module.wrapped, module.cached)))


def test_a_cell_that_is_empty_yet_is_no_reason_to_fail():
    def factory():
        def early() -> object:
            return late

        yield early
        late = 1

    one, another = next(factory()), next(factory())
    assert not is_same(one, another)


# handlers


def test_a_handler_registered_twice_is_one_handler(app, loaded):
    module = loaded("twin_a")
    for _ in range(2):
        app.handler(module.handle)
    assert len(app.dispatch(module.Order(1))) == 1


def test_a_handler_of_a_module_that_is_imported_twice_gets_each_message_once(app, loaded):
    modules = [loaded(name) for name in ("twin_a", "twin_b")]
    for module in modules:
        app.handler(name="handle")(module.handle)
    assert [len(app.dispatch(module.Order(1))) for module in modules] == [1, 1]


def test_two_handlers_of_one_name_are_refused(app, loaded):
    module = loaded("twin_a")
    app.handler(name="h")(module.handle)
    with pytest.raises(UsageError, match="two tasks are named h"):
        app.task(name="h")(plain)


def test_a_message_of_the_module_that_was_run_finds_its_task(app):
    app.task(name="proj.hello")(plain)
    assert app.registry.get("proj.__main__.hello").name == "proj.hello"
    with pytest.raises(UnknownTaskError):
        app.registry.get("proj.__main__.hullo")
