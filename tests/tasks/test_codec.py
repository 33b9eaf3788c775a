"""Arguments to JSON and back. No `from __future__ import annotations` here: the hints below are what is tested."""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Optional, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq.errors import ArgumentError, BodyError, UsageError
from cronq.tasks.codec import Codec
from cronq.tasks.context import Context


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Address:
    street: str
    since: datetime | None = None


@dataclass(frozen=True)
class Order:
    id: UUID
    price: Decimal
    address: Address
    colours: set[Colour] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)


@dataclass
class Moody:
    """Refuses itself with an error that no JSON library expects."""

    size: int

    def __post_init__(self) -> None:
        if self.size > 9:
            raise KeyError(self.size)


class Stranger: ...


def codec_of(hint: Any) -> Codec:
    def task(value: hint) -> None: ...

    return Codec("shop.task", task)


def returned(function, *args, **kwargs):
    """What a task receives that is enqueued so: `function` is called as a consumer calls it."""
    codec = Codec("shop.task", function, Context)
    positional, named = codec.decode(codec.encode(args, kwargs))
    return function(*positional, **named)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (str, "ä\u2028\x00\U0001f600"),
        (int, -(2**63)),
        (int, 2**64 - 1),
        (float, 0.1),
        (bool, True),
        (None, None),
        (bytes, bytes(range(256))),
        (datetime, datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=UTC)),
        (datetime, datetime(2026, 3, 29, 2, 30)),
        (date, date(2024, 2, 29)),
        (time, time(23, 59, 59, 999999)),
        (timedelta, timedelta(days=-1, microseconds=1)),
        (UUID, uuid4()),
        (Decimal, Decimal("0.10000000000000000000000000001")),
        (Colour, Colour.RED),
        (Level, Level.LOW),
        (Literal["a", "b"], "b"),
        (Path, Path("/srv/ä b")),
        (PurePosixPath, PurePosixPath("a/../b")),
        (list[Path], [Path("a"), Path("b")]),
        (set[int], {1, 2}),
        (frozenset[str], frozenset({"a"})),
        (tuple[int, str], (1, "a")),
        (dict[str, Decimal], {"a": Decimal(1)}),
        (dict[int, str], {1: "a"}),
        (dict[UUID, Colour], {UUID(int=7): Colour.BLUE}),
        (Optional[UUID], None),  # noqa: UP045
        (UUID | None, UUID(int=1)),
        (str | None, "a"),
        (Address, Address("Ring 1", datetime(2020, 1, 1, tzinfo=UTC))),
        (Order, Order(UUID(int=3), Decimal("9.99"), Address("x"), {Colour.RED}, [Path("a")])),
        (list[Order | None], [None, Order(UUID(int=3), Decimal(1), Address("x"))]),
        (Any, {"a": [1, 2.5, None, True, "x", {"b": []}]}),
        (dict[str, Any] | None, None),
        (dict, {"a": [{"b": 1}]}),
        (list[dict[str, list]], [{"a": [1]}]),  # type: ignore[type-arg]  # as people write it
    ],
)
def test_a_value_comes_back_as_what_it_was(hint, value):
    codec = codec_of(hint)
    _, named = codec.decode(codec.encode((value,), {}))
    assert named == {"value": value}
    assert type(named["value"]) is type(value)


def test_a_body_is_an_object_with_the_parameters_by_name():
    def task(to: str, subject: str = "Hi", *rest: int, **more: int) -> None: ...

    body = Codec("shop.task", task).encode(("ada", "Ho", 1, 2), {"x": 3})
    assert json.loads(body) == {"to": "ada", "subject": "Ho", "rest": [1, 2], "more": {"x": 3}}


def test_a_default_is_not_stored_so_that_a_later_release_may_change_it():
    def task(to: str, subject: str = "Hi") -> None: ...

    assert Codec("shop.task", task).encode(("ada",), {}) == b'{"to":"ada"}'


def test_a_default_that_its_hint_does_not_allow_is_left_to_the_function():
    def task(at: datetime = None) -> object:  # type: ignore[assignment]  # noqa: RUF013 - as people write it
        return at

    assert returned(task) is None


def test_variable_arguments_come_back_in_place():
    def task(first: Path, *rest: Path, key: int, **more: UUID) -> object:
        return first, rest, key, more

    sent = (Path("a"), Path("b"), Path("c")), {"key": 1, "x": UUID(int=5)}
    assert returned(task, *sent[0], **sent[1]) == (Path("a"), (Path("b"), Path("c")), 1, {"x": UUID(int=5)})


def test_positional_only_parameters_come_back_in_place():
    def task(a: int, b: int = 2, /, c: int = 3, *, d: int = 4) -> object:
        return a, b, c, d

    assert returned(task, 1, c=5) == (1, 2, 5, 4)


def test_a_keyword_may_have_the_name_of_a_positional_only_parameter():
    def task(a: int, /, **more: int) -> object:
        return a, more

    assert returned(task, 1, a=2) == (1, {"a": 2})


def test_a_skipped_default_before_variable_arguments_does_not_shift_the_others():
    def task(a: int = 1, b: int = 2, *rest: int) -> object:
        return a, b, rest

    assert returned(task, b=3) == (1, 3, ())


def test_the_context_is_neither_stored_nor_asked_for():
    def task(to: str, context: Context) -> None: ...

    codec = Codec("shop.task", task, Context)
    assert codec.encode(("ada",), {}) == b'{"to":"ada"}'
    assert codec.injects == ["context"]


def test_a_context_that_variable_arguments_would_fill_is_refused():
    def before(context: Context, *files: str) -> None: ...

    def by_position(context: Context, /) -> None: ...

    def behind(*files: str, context: Context) -> None: ...

    for task in (before, by_position):
        with pytest.raises(UsageError, match=r"task shop\.task: parameter 'context' cannot be filled in"):
            Codec("shop.task", task, Context)
    Codec("shop.task", behind, Context)


def test_string_hints_are_resolved():
    def task(at: "datetime") -> object:
        return at

    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert returned(task, moment) == moment


@pytest.mark.parametrize("hint", ["Missing", "datetime.missing", "not an expression"])
def test_a_hint_that_cannot_be_resolved_is_refused_with_the_task_s_name(hint):
    def task(at) -> None: ...

    task.__annotations__["at"] = hint
    with pytest.raises(UsageError, match=r"task shop\.task: its type hints cannot be resolved"):
        Codec("shop.task", task)


def test_a_hint_that_json_cannot_hold_is_refused_with_the_task_s_name():
    with pytest.raises(UsageError, match=r"task shop\.task: a type hint that JSON cannot hold"):
        codec_of(str | bytes)


@pytest.mark.parametrize(
    ("hint", "value", "says"),
    [
        (int, "five", "argument 'value': Expected `int`, got `str`"),
        (int, True, "argument 'value': Expected `int`, got `bool`"),
        (UUID, "no uuid", "argument 'value': Invalid UUID"),
        (list[int], [1, "x"], "Expected `int`, got `str`"),
        (Address, Address(street=cast("str", 5)), "argument 'value.street': Expected `str`, got `int`"),
        (float, float("nan"), "argument 'value' is nan, which JSON has no number for"),
        (float | None, float("inf"), "argument 'value' is inf, which JSON has no number for"),
        (Stranger, Stranger(), "argument 'value' (Stranger) cannot be written as JSON"),
        (Any, Stranger(), "argument 'value' (Stranger) cannot be written as JSON"),
        (Any, [{"a": (datetime(2026, 1, 1),)}], "argument 'value' holds a datetime"),
        (Any, {1: "a"}, "argument 'value' holds a int"),
        (Any, float("nan"), "argument 'value' is nan, which JSON has no number for"),
        (Any, float("inf"), "argument 'value' is inf, which JSON has no number for"),
        (Any, Level.LOW, "argument 'value' holds a Level"),
        (dict, {"at": datetime(2026, 1, 1)}, "argument 'value' holds a datetime"),
        (list, [UUID(int=1)], "argument 'value' holds a UUID"),
        (dict[str, Any], {"at": date(2026, 1, 1)}, "argument 'value' holds a date"),
        (list[dict] | None, [{1: "a"}], "argument 'value' holds a int"),  # type: ignore[type-arg]  # as people write it
    ],
)
def test_an_argument_that_would_not_come_back_is_refused_by_name(hint, value, says):
    with pytest.raises(ArgumentError) as caught:
        codec_of(hint).encode((value,), {})
    assert str(caught.value).startswith("task shop.task: ")
    assert says in str(caught.value)


def test_arguments_that_do_not_fit_the_parameters_are_refused():
    def task(to: str) -> None: ...

    codec = Codec("shop.task", task)
    with pytest.raises(ArgumentError, match=r"task shop\.task: missing a required argument: 'to'"):
        codec.encode((), {})
    with pytest.raises(ArgumentError, match=r"task shop\.task: got an unexpected keyword argument 'subject'"):
        codec.encode(("ada",), {"subject": "Hi"})


def test_an_argument_error_is_a_type_error_as_a_plain_call_would_raise():
    with pytest.raises(TypeError):
        codec_of(int).encode((), {})


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("hint", [Any, list])
@pytest.mark.parametrize("value", [nested(100_000), "\ud800"])
def test_what_json_cannot_write_is_an_argument_error(hint, value):
    with pytest.raises(ArgumentError, match=r"task shop\.task: "):
        codec_of(hint).encode((value,), {})


def test_a_text_of_a_megabyte_comes_back():
    text = "ä" * 1_000_000
    assert returned(lambda text: text, text) == text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Input data was truncated"),
        (b"\xff\x00", "JSON is malformed"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "Object missing required field `value`"),
        (b'{"value":"five"}', "argument 'value': Expected `int`, got `str`"),
        (b'{"value":5,"removed":1}', "Object contains unknown field `removed`"),
    ],
)
def test_a_stored_body_that_does_not_fit_says_what_is_wrong(body, says):
    with pytest.raises(BodyError) as caught:
        codec_of(int).decode(body)
    assert str(caught.value).startswith("task shop.task: the stored arguments do not fit it: ")
    assert says in str(caught.value)


def test_a_body_nested_too_deeply_is_a_body_error():
    with pytest.raises(BodyError):
        codec_of(Any).decode(b'{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_whatever_a_dataclass_raises_while_it_is_read_is_a_body_error():
    with pytest.raises(BodyError, match=r"shop\.task"):
        codec_of(Moody).decode(b'{"value":{"size":10}}')


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(args=st.lists(json_values, max_size=4), kwargs=st.dictionaries(st.sampled_from("xyz"), json_values))
def test_any_json_comes_back_through_parameters_without_hints(args, kwargs):
    def task(*args, **kwargs):
        return args, kwargs

    assert returned(task, *args, **kwargs) == (tuple(args), kwargs)


small = st.integers(0, 9)


@given(given=st.lists(small, max_size=8), named=st.dictionaries(st.sampled_from(["b", "c", "d", "e", "f"]), small))
def test_any_way_to_call_a_function_comes_back(given, named):
    def task(a=-1, /, b=-2, c=-3, *rest, d=-4, **more):
        return a, b, c, rest, d, more

    for name in ("b", "c")[: max(0, len(given) - 1)]:
        named.pop(name, None)
    assert returned(task, *given, **named) == task(*given, **named)
