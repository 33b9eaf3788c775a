"""Arguments arrive as they were sent, or are refused. Hints are what is tested: no postponed annotations here."""

import collections
import typing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, NamedTuple, Optional, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest

from cronq.errors import ArgumentError
from cronq.tasks.codec import Codec

NAN, INF = float("nan"), float("inf")
BERLIN = ZoneInfo("Europe/Berlin")


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Plain(Enum):
    ONE = 1


@dataclass
class Event:
    id: int


@dataclass
class OrderPlaced(Event):
    product: str = ""


@dataclass
class Invoice:
    lines: dict = field(default_factory=dict)  # type: ignore[type-arg]  # on purpose
    price: float | None = None
    event: Event | None = None
    more: Any = None


@dataclass
class Counting:
    made: int = 0

    def __post_init__(self) -> None:
        self.made += 1


@dataclass
class Odd:
    """Refuses itself with an error that no JSON library expects."""

    size: int

    def __post_init__(self) -> None:
        if self.size == 9:
            self.size = 10
        elif self.size > 9:
            raise KeyError(self.size)


class Point(NamedTuple):
    x: int
    y: Any = 0


class Options(TypedDict, total=False):
    size: int


class Record(msgspec.Struct):
    at: Any = None
    many: list[float | None] = []


class SmallRecord(Record):
    size: int = 0


@attrs.define
class Parcel:
    weight: Any = None


class Mapped(dict): ...  # type: ignore[type-arg]  # on purpose


class Number(int): ...


class Text(str):
    __slots__ = ()


def codec_of(hint: Any) -> Codec:
    def task(value: hint) -> None: ...

    return Codec("shop.task", task)


@pytest.mark.parametrize(
    ("hint", "value", "says"),
    [
        # what a hint leaves open
        (list[Any], [Decimal("1.50")], r"holds a Decimal \(value\[0\]\), which would come back as str: name Decimal"),
        (tuple[Any, ...], (Decimal("1.50"),), r"holds a Decimal \(value\[0\]\)"),
        (collections.abc.Sequence[Any], [date(2024, 5, 1)], r"holds a date \(value\[0\]\)"),
        (collections.abc.Mapping[str, Any], {"a": Decimal(1)}, r"holds a Decimal \(value\['a'\]\)"),
        (Invoice, Invoice({"a": Decimal("1.50")}), r"holds a Decimal \(value\.lines\['a'\]\)"),
        (Invoice, Invoice(more=[{"a": UUID(int=1)}]), r"holds a UUID \(value\.more\[0\]\['a'\]\)"),
        (list[Invoice], [Invoice(), Invoice({1: 2})], r"holds a int as a key \(value\[1\]\.lines\)"),
        (dict[str, Any], {"at": datetime(2024, 1, 1, tzinfo=UTC)}, r"holds a datetime"),
        (dict[str, list], {"at": [b"x"]}, r"holds a bytes"),  # type: ignore[type-arg]  # on purpose
        (Any, {"a"}, r"holds a set, which would come back as list: name set in the type hint"),
        (Any, frozenset({1}), r"holds a frozenset"),
        (Any, (1, 2), r"holds a tuple, which would come back as list"),
        (list, [(1, 2)], r"holds a tuple \(value\[0\]\)"),
        (Optional[list], [timedelta(1)], r"holds a timedelta"),  # noqa: UP045
        (int | Any, Plain.ONE, r"holds a Plain"),
        (Any, Path("a"), r"holds a PosixPath"),
        (Any, Event(1), r"holds a Event, which would come back as dict"),
        (Any, Point(1), r"holds a Point"),
        (Any, Parcel(), r"holds a Parcel"),
        (Any, Record(), r"holds a Record"),
        (dict, {date(2024, 1, 1): 1}, r"holds a date as a key"),
        (dict, {1: "a", "1": "b"}, r"holds what would be lost \(value\[1\]\)"),
        (dict[str, int], {Colour.RED: 1}, r"holds a Colour as a key"),
        (dict[int, int], {Level.LOW: 1}, r"holds a Level as a key"),
        (Point, Point(1, Decimal(1)), r"holds a Decimal \(value\[1\]\)"),
        (Parcel, Parcel({1}), r"holds a set \(value\.weight\)"),
        (Record, Record(Decimal(1)), r"holds a Decimal \(value\.at\)"),
        # no numbers
        (list[float | None], [1.0, NAN], r"is nan, which JSON has no number for \(value\[1\]\)"),
        (list[float], [1.0, INF], r"is inf, which JSON has no number for \(value\[1\]\)"),
        (dict[str, float | None], {"a": -INF}, r"is -inf, which JSON has no number for \(value\['a'\]\)"),
        (Invoice, Invoice(price=NAN), r"is nan, .* \(value\.price\)"),
        (Invoice, Invoice({"a": [NAN]}), r"is nan, .* \(value\.lines\['a'\]\[0\]\)"),
        (Record, Record(many=[INF]), r"is inf, .* \(value\.many\[0\]\)"),
        (tuple[float, Any], (1.0, NAN), r"is nan"),
        (set[float], {NAN}, r"is nan"),
        (float | int, NAN, r"is nan"),
        (Any, [[{"a": NAN}]], r"is nan, .* \(value\[0\]\[0\]\['a'\]\)"),
        # subclasses of what is hinted, and other types that only look alike
        (Event, OrderPlaced(1, "mug"), r"holds a OrderPlaced, which would come back as Event"),
        (list[Event], [OrderPlaced(1, "mug")], r"holds a OrderPlaced \(value\[0\]\)"),
        (dict[str, Event | None], {"a": OrderPlaced(1)}, r"holds a OrderPlaced \(value\['a'\]\)"),
        (Invoice, Invoice(event=OrderPlaced(1)), r"holds a OrderPlaced \(value\.event\)"),
        (Record, SmallRecord(size=5), r"holds a SmallRecord"),
        (dict[str, int], Mapped(a=1), r"holds a Mapped, which would come back as dict"),
        (dict[str, int], collections.Counter("a"), r"holds a Counter"),
        (dict, collections.defaultdict(int), r"holds a defaultdict"),
        (list[int], (1, 2), r"holds a tuple, which would come back as list"),
        (collections.abc.Sequence[int], (1, 2), r"holds a tuple"),
        (tuple[int, ...], [1, 2], r"holds a list, which would come back as tuple"),
        (tuple[int, int], Point(1, 2), r"holds a Point"),
        (set[int], [1, 1], r"holds a list, which would come back as set"),
        (set[int], {Level.LOW}, r"would come back as"),
        (int, Level.LOW, r"holds a Level, which would come back as int: name Level in the type hint .*, or pass a int"),
        (list[int], [Level.LOW], r"holds a Level"),
        (str, Colour.RED, r"holds a Colour, which would come back as str"),
        (str, date(2024, 1, 1), r"holds a date, which would come back as str"),
        (str, Decimal(1), r"holds a Decimal"),
        (bytes, "abcd", r"holds a str, which would come back as bytes"),
        (bytes, bytearray(b"x"), r"holds a bytearray"),
        (date, "2024-01-01", r"holds a str, which would come back as date"),
        (Decimal, 0.1, r"holds a float, which would come back as Decimal"),
        (Colour, "red", r"holds a str, which would come back as Colour"),
        (Event, {"id": 1, "lost": 2}, r"holds a dict, which would come back as Event"),
        (Options, {"size": 1, "lost": 2}, r"holds what would be lost \(value\['lost'\]\): its type hint has no place"),
        (PurePosixPath, Path("a"), r"holds a PosixPath, which would come back as PurePosixPath"),
        (int, True, r"Expected `int`, got `bool`"),
        (int, Number(5), r"\(Number\) cannot be written as JSON"),
        (str, Text("a"), r"\(Text\) cannot be written as JSON"),
        # digits, zones and states that would be lost
        (float, 2**53 + 1, r"holds a int"),
        (time, time(1, tzinfo=BERLIN), r"holds datetime.time\("),
        (datetime, datetime(2024, 10, 27, 2, 30, fold=1), r"holds datetime.datetime\("),
        (datetime, datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=30))), r"holds datetime.datetime\("),
        (Counting, Counting(), r"holds 1 \(value\.made\), which would come back as 2"),
        (Odd, Odd(9), r"shop\.task: 10|KeyError|10"),
    ],
)
def test_what_would_come_back_as_something_else_is_refused_with_where_it_is(hint, value, says):
    with pytest.raises(ArgumentError, match=rf"^task shop\.task: .*{says}"):
        codec_of(hint).encode((value,), {})


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (float, 5),
        (float, 2**53),
        (float | None, 0.5),
        (list[float], [1, 2.5]),
        (Any, [2**70, -(2**70), 1.5, True, None, "x", {"a": []}]),
        (int | float | str | None, 5),
        (int | float | str | None, 5.0),
        (Decimal, Decimal("NaN")),
        (Decimal, Decimal("1.50")),
        (list[Event], [Event(1)]),
        (dict[float, str], {1.5: "a"}),
        (dict[date, Event], {date(2024, 1, 1): Event(1)}),
        (dict[tuple, int], {}),  # type: ignore[type-arg]  # on purpose
        (tuple[()], ()),
        (PurePath, Path("a")),
        (Path, Path("a")),
        (Invoice, Invoice({"a": [1, {"b": None}]}, 1.5, Event(1), [1])),
        (Point, Point(1, "a")),
        (Options, {"size": 1}),
        (Record, Record("a", [1.0, None])),
        (Record | None, None),
        (Parcel, Parcel(3)),
        (collections.abc.Mapping[str, int], {"a": 1}),
        (datetime, datetime(2024, 1, 1, 12)),
        (datetime, datetime(2024, 7, 1, 12, tzinfo=BERLIN)),
        (typing.NewType("UserId", int), 5),
        (typing.Annotated[int, "a count"], 5),
        (set[Colour], {Colour.RED}),
        (frozenset[bytes], frozenset({b"x"})),
        (dict[str, Any], {}),
    ],
)
def test_what_comes_back_as_it_was_is_taken(hint, value):
    codec = codec_of(hint)
    _, named = codec.decode(codec.encode((value,), {}))
    assert named == {"value": value} or repr(named["value"]) == repr(value)


def test_variable_arguments_are_looked_at_as_all_others():
    def task(*rest: Any, **more: Event) -> None: ...

    codec = Codec("shop.task", task)
    codec.encode((1, "a", [2]), {"b": Event(1)})
    with pytest.raises(ArgumentError, match=r"argument 'rest' holds a Decimal \(rest\[1\]\)"):
        codec.encode((1, Decimal(1)), {})
    with pytest.raises(ArgumentError, match=r"argument 'more' holds a OrderPlaced \(more\['b'\]\)"):
        codec.encode((), {"b": OrderPlaced(1)})


def test_what_waits_for_a_result_is_looked_at_where_it_is_known():
    def task(result: Any, value: Any) -> None: ...

    placeholder = object()
    body, into = Codec("shop.task", task).encode_open((placeholder, 5), {}, placeholder)
    assert (body, into) == (b'{"value":5}', ("result",))
    with pytest.raises(ArgumentError, match="argument 'value' holds a Decimal"):
        Codec("shop.task", task).encode_open((placeholder, Decimal(1)), {}, placeholder)


def test_whatever_a_dataclass_raises_while_it_is_read_back_is_an_argument_error():
    with pytest.raises(ArgumentError, match=r"^task shop\.task: "):
        codec_of(Odd).encode((Odd(9),), {})


def test_a_value_that_is_nested_as_deep_as_json_allows_is_taken_or_refused_by_name():
    value: list = []  # type: ignore[type-arg]  # on purpose
    for _ in range(500):
        value = [value]
    try:
        codec_of(Any).encode((value,), {})
    except ArgumentError as error:
        assert "argument 'value' is nested too deeply" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    "result", [NAN, [1.0, INF], {"a": {"b": [-INF]}}, Invoice(price=NAN), (Record(many=[NAN]),), [None, NAN]]
)
def test_a_result_that_json_has_no_number_for_is_refused(result):
    with pytest.raises(ValueError, match=r"the result is -?(nan|inf), which JSON has no number for"):
        codec_of(int).encode_result(result)


@pytest.mark.parametrize("result", [None, [1.0, None], {"a": None}, Invoice(), Path("a"), "null"])
def test_a_result_with_null_in_it_is_kept(result):
    assert codec_of(int).encode_result(result)


# what was JSON before it came here


@pytest.mark.parametrize(
    ("hint", "given", "arrives"),
    [
        (date, "2024-01-01", date(2024, 1, 1)),
        (UUID, str(UUID(int=1)), UUID(int=1)),
        (bytes, "eA==", b"x"),
        (set[int], [1, 2], {1, 2}),
        (tuple[int, ...], [1], (1,)),
        (Event, {"id": 1}, Event(1)),
        (float, 1, 1.0),
        (Any, {"a": [1, None]}, {"a": [1, None]}),
    ],
)
def test_type_hints_read_arguments_that_were_json(hint, given, arrives):
    codec = codec_of(hint)
    assert codec.decode(codec.encode_json({"value": given}))[1] == {"value": arrives}
    assert codec.from_json((given,), {}) == ((arrives,), {})
    assert codec.from_json((), {"value": given}) == ((arrives,), {})


@pytest.mark.parametrize("given", [Decimal(1), {"a": {1: 2}}, (1,), NAN, [INF]])
def test_arguments_of_a_schedule_in_code_are_no_json_and_have_to_come_back(given):
    with pytest.raises(ArgumentError, match="argument 'value'"):
        codec_of(Any).encode_json({"value": given})


def test_variable_arguments_that_were_json_stay_in_place():
    def task(first: date, *rest: date, last: date, **more: date) -> None: ...

    day, text = date(2024, 1, 1), "2024-01-01"
    read = Codec("shop.task", task).from_json((text, text, text), {"last": text, "x": text})
    assert read == ((day, day, day), {"last": day, "x": day})
