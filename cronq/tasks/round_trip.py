"""What a value would be when it comes back from JSON, against what it was when it was sent.

Values are compared, not hints: a hint says what is read, and only a value knows what of it that leaves out.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import TYPE_CHECKING, Any

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_NONE = type(None)
_PLAIN: frozenset[type] = frozenset({str, int, float, bool, _NONE})
_NEVER_CHANGE = _PLAIN - {float}


LOST = object()  # in place of what does not come back at all


class Difference(NamedTuple):
    """A part of a value that would come back as something else; `path` leads to it, `.lines['a'][0]`."""

    path: str
    sent: object
    back: object
    is_key: bool = False

    def below(self, step: str) -> Difference:
        """Return the change as seen from what holds the part."""
        return self._replace(path=step + self.path)

    def text(self, name: str, what: str = "") -> str:
        """Say what of `what`, the argument of that name, would be another thing, and what would be right."""
        what = what or f"argument {name!r}"
        where = f" ({name}{self.path})" if self.path else ""
        if isinstance(self.sent, float) and not math.isfinite(self.sent):
            return f"{what} is {self.sent}, which JSON has no number for{where}"
        if self.back is LOST:
            return f"{what} holds what would be lost{where}: its type hint has no place for that, or keys become equal"
        kind, other = type(self.sent).__name__, type(self.back).__name__
        if kind == other:
            return f"{what} holds {self.sent!r:.100}{where}, which would come back as {self.back!r:.100}"
        return (
            f"{what} holds a {kind}{' as a key' if self.is_key else ''}{where}, which would come back as "
            f"{other}: name {kind} in the type hint of what holds it, or pass a {other}"
        )


def unchanged_by(hint: Any) -> frozenset[type]:
    """Return the types of which every value comes back through a hint as what it was, so that nobody need look.

    NaN is written as null: a float comes back as None where that is allowed, else it is refused when it is read.
    """
    if hint is Any:
        return _NEVER_CHANGE
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        found: frozenset[type] = frozenset().union(*map(unchanged_by, typing.get_args(hint)))
        return found - {float} if _NONE in found else found
    return frozenset({hint}) if hint in _PLAIN else frozenset()


def difference(sent: Any, back: Any) -> Difference | None:
    """Return the innermost first part that would come back as something else, None when all is as it was.

    A whole number for a float is as it was when no digit is lost, and a path where any kind of path is wanted.
    """
    if isinstance(sent, list | tuple) and isinstance(back, list | tuple):
        found = _in_items(sent, back)
    elif isinstance(sent, dict) and isinstance(back, dict):
        found = _in_pairs(sent, back)
    elif isinstance(sent, set | frozenset) and isinstance(back, set | frozenset):
        found = None if sent == back and _kinds(sent) == _kinds(back) else Difference("", sent, back)
    elif type(sent) is type(back) and (names := _fields(sent)) is not None:
        found = _in_fields(sent, back, names)
    else:
        return None if _is_same(sent, back) else Difference("", sent, back)
    return found if found is not None or type(sent) is type(back) else Difference("", sent, back)


def no_number(value: object) -> Difference | None:
    """Return the first NaN or infinity in what is made of plain values (`msgspec.to_builtins`)."""
    if isinstance(value, float) and not math.isfinite(value):
        return Difference("", value, None)
    if isinstance(value, dict):
        return _first((f"[{key!r}]", no_number(one)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return _first((f"[{index}]", no_number(one)) for index, one in enumerate(value))
    return None


def is_json(value: object) -> bool:
    """Tell whether a value is what JSON has, all through."""
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(is_json, value.values()))
    if type(value) is list:
        return all(map(is_json, value))
    return type(value) in _PLAIN and (type(value) is not float or math.isfinite(value))


def _in_items(sent: Collection[Any], back: Collection[Any]) -> Difference | None:
    if len(sent) != len(back):
        return Difference("", sent, back)
    if _are_plain(sent, back):
        return None
    return _first((f"[{index}]", difference(*pair)) for index, pair in enumerate(zip(sent, back, strict=True)))


def _in_pairs(sent: dict[Any, Any], back: dict[Any, Any]) -> Difference | None:
    if len(sent) != len(back):  # a field that its hint does not have, or two keys with one text
        lost = next(key for key in sent if key not in back or type(key) is not str)
        return Difference(f"[{lost!r}]", sent[lost], LOST)
    if not _are_plain(sent, back):  # in the order in which they were written
        for key, came in zip(sent, back, strict=True):
            if (found := difference(key, came)) is not None:
                return found._replace(is_key=True)
    if _are_plain(sent.values(), back.values()):
        return None
    pairs = zip(sent, sent.values(), back.values(), strict=True)
    return _first((f"[{key!r}]", difference(one, other)) for key, one, other in pairs)


def _in_fields(sent: object, back: object, names: Iterable[str]) -> Difference | None:
    return _first((f".{name}", difference(getattr(sent, name), getattr(back, name))) for name in names)


def _fields(value: Any) -> Iterable[str] | None:
    """Return the names of the fields of a dataclass, a msgspec.Struct or an attrs class; None for all else."""
    if dataclasses.is_dataclass(value):
        return [one.name for one in dataclasses.fields(value)]
    kind = type(value)
    if hasattr(kind, "__attrs_attrs__"):
        return [one.name for one in kind.__attrs_attrs__]
    return getattr(kind, "__struct_fields__", None)


def _first(parts: Iterable[tuple[str, Difference | None]]) -> Difference | None:
    return next((found.below(step) for step, found in parts if found is not None), None)


def _are_plain(sent: Collection[Any], back: Collection[Any]) -> bool:
    """Tell whether two collections hold the same plain values: at the speed of C, for those that are long."""
    kinds = list(map(type, sent))
    return _PLAIN.issuperset(kinds) and kinds == list(map(type, back)) and list(sent) == list(back)


def _kinds(values: Iterable[object]) -> dict[type, int]:
    many: dict[type, int] = {}
    for one in values:
        many[type(one)] = many.get(type(one), 0) + 1
    return many


def _is_same(sent: Any, back: Any) -> bool:
    if type(sent) is not type(back):
        widened = type(sent) is int and type(back) is float
        return (widened or (hasattr(sent, "__fspath__") and isinstance(back, type(sent)))) and bool(sent == back)
    if hasattr(sent, "tzinfo"):
        return bool(sent == back) and _has_zone(sent) == _has_zone(back)
    return repr(sent) == repr(back) if hasattr(sent, "is_snan") else bool(sent == back)  # Decimal("NaN") equals nothing


def _has_zone(time: Any) -> object:
    """Tell whether a time has a zone, or which of the two times it is that one clock shows in autumn."""
    return time.fold if time.tzinfo is None else True
