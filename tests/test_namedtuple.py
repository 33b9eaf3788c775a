"""Our named tuples are those of the standard library, to whoever uses them."""

from __future__ import annotations

import copy
import pickle
import pkgutil
import typing
from importlib.machinery import FileFinder
from pathlib import Path
from typing import Any, cast

import pytest

import cronq
from cronq.namedtuple import NamedTuple


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 2
    label: str = ""

    @property
    def size(self) -> int:
        return abs(self.x) + abs(self.y)

    def moved(self, by: int) -> Point:
        return self._replace(x=self.x + by)


class StandardPoint(typing.NamedTuple):
    """A place."""

    x: int
    y: int = 2
    label: str = ""


class Named(Point):
    """A kind of one."""

    __slots__ = ()

    @property
    def shout(self) -> str:
        return self.label.upper()


class Nothing(NamedTuple):
    """Without fields."""


@pytest.mark.parametrize(
    ("values", "named"),
    [((1,), {}), ((1, 5), {}), ((1, 5, "a"), {}), ((), {"x": 1}), ((1,), {"label": "a"}), ((), {"label": "a", "x": 0})],
)
def test_one_is_made_as_those_of_the_standard_library_are(values, named):
    one, standard = Point(*values, **named), StandardPoint(*values, **named)
    assert tuple(one) == tuple(standard)
    assert one == cast("Point", standard)  # tuples are equal, whatever their class
    assert (one.x, one.y, one.label) == (standard.x, standard.y, standard.label)
    assert one._asdict() == standard._asdict()
    assert repr(one) == repr(standard).replace("StandardPoint", "Point")
    assert hash(one) == hash(standard)


@pytest.mark.parametrize(("values", "named"), [((), {}), ((1, 2, "", 4), {}), ((1,), {"x": 1}), ((1,), {"z": 3})])
def test_what_does_not_fit_is_refused_with_the_same_words(values, named):
    with pytest.raises(TypeError) as standard:
        StandardPoint(*values, **named)
    with pytest.raises(TypeError) as refused:
        Point(*values, **named)
    assert str(refused.value) == str(standard.value).replace("StandardPoint", "Point").replace("_cls", "cls")


def test_its_class_tells_what_the_standard_one_tells():
    for name in ("_fields", "_field_defaults", "__match_args__", "__slots__", "__doc__", "__module__"):
        assert getattr(Point, name) == getattr(StandardPoint, name)
    assert typing.get_type_hints(Point) == typing.get_type_hints(StandardPoint)


def test_a_field_can_be_replaced_and_an_unknown_one_cannot():
    assert Point(1).moved(2) == (3, 2, "")
    assert type(Point(1)._replace(y=9)) is Point
    with pytest.raises(ValueError, match="Point has no field z"):
        Point(1)._replace(z=1)  # type: ignore[call-arg]  # that is the point


def test_it_is_made_of_as_many_values_as_it_has_fields():
    assert Point._make(iter([1, 2, "a"])) == Point(1, 2, "a")
    with pytest.raises(TypeError):
        Point._make([1, 2, "a", 4])


def test_it_holds_nothing_but_its_fields():
    with pytest.raises(AttributeError):
        Point(1).other = 1  # type: ignore[attr-defined]  # that is the point
    with pytest.raises(AttributeError):
        Point(1).x = 2  # type: ignore[misc]  # that is the point


def test_it_can_be_matched_copied_and_pickled():
    match Point(1, label="a"):
        case Point(x, y, label):
            assert (x, y, label) == (1, 2, "a")
    for twin in (copy.copy(Point(1)), copy.deepcopy(Point(1)), pickle.loads(pickle.dumps(Point(1)))):  # noqa: S301 - its own
        assert twin == Point(1)
        assert type(twin) is Point


def test_a_kind_of_one_has_its_fields():
    one = Named(1, label="a")
    assert (type(one), one.size, one.shout, one) == (Named, 3, "A", (1, 2, "a"))
    assert type(one._replace(x=2)) is Named
    assert type(Point(1)) is Point


def test_a_kind_of_one_may_make_itself_in_its_own_way():
    class Base(NamedTuple):
        x: int
        y: int

    class Square(Base):
        def __new__(cls, side):
            return super().__new__(cls, side, side)

    assert [Square(1), Square(2), Base(1, 2)] == [(1, 1), (2, 2), (1, 2)]


def test_one_can_be_copied_with_another_value():
    """`copy.replace` of Python 3.13 asks for this method."""
    assert cast("Any", Point(1)).__replace__(y=3) == (1, 3, "")


def test_one_without_fields_is_empty():
    assert Nothing() == ()
    assert repr(Nothing()) == "Nothing()"


def test_a_field_without_a_default_after_one_with_is_refused():
    make: Any = type(NamedTuple)  # a class, where a type checker sees what the standard library has
    with pytest.raises(TypeError, match="fields with a default come after those without"):
        make("Odd", (NamedTuple,), {"__annotations__": {"x": "int", "y": "int"}, "x": 1})


def test_every_module_with_named_tuples_leaves_its_annotations_alone():
    """From Python 3.14 on a class knows its annotations only when asked, but for modules that ask for them as text."""
    for found in pkgutil.walk_packages(cronq.__path__, "cronq."):
        assert isinstance(found.module_finder, FileFinder)
        source = Path(found.module_finder.path, found.name.rpartition(".")[2] + ".py")
        if source.exists() and "import NamedTuple" in (text := source.read_text()):
            assert "from __future__ import annotations" in text, source
            assert source.stem == "namedtuple" or "typing import NamedTuple" not in text, source
