"""Whether two callables are one function: a module may be imported twice, or reloaded, and makes its functions anew."""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import Any


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two callables do the same, so that either may run in place of the other.

    Functions that one factory made share their code: they are the same only with the same values around and behind it.
    """
    if one is other or type(one) is not type(other):
        return one is other
    inner, inner_of_other = innermost(one), innermost(other)
    if isinstance(inner, FunctionType) and isinstance(inner_of_other, FunctionType):
        if not _is_one_place(inner.__code__, inner_of_other.__code__):
            return False
        if inner.__globals__ is not inner_of_other.__globals__:
            return True  # the module was imported twice: what it made are twins
        return _has_same_values(one, other) and (inner is one or is_same(one.__wrapped__, other.__wrapped__))
    return bool(one == other)


def innermost(function: Any) -> Any:
    """Return what decorators have wrapped (`functools.wraps`, `lru_cache`)."""
    seen = {id(function)}
    while (wrapped := getattr(function, "__wrapped__", None)) is not None and id(wrapped) not in seen:
        function = wrapped
        seen.add(id(function))
    return function


def place_of(function: Any) -> str:
    """Return file and line of a callable, or what is known of it."""
    code = getattr(innermost(function), "__code__", None)
    return repr(function) if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _is_one_place(one: CodeType, other: CodeType) -> bool:
    place = (one.co_filename, one.co_firstlineno) == (other.co_filename, other.co_firstlineno)
    return place and one == other


def _has_same_values(one: Any, other: Any) -> bool:
    if not isinstance(one, FunctionType):
        return True  # a cache, say: what it wraps is compared
    if not _is_one_place(one.__code__, other.__code__):
        return False
    said = (one.__defaults__, one.__kwdefaults__) == (other.__defaults__, other.__kwdefaults__)
    cells = zip(one.__closure__ or (), other.__closure__ or (), strict=True)
    return said and all(_holds_same(*pair) for pair in cells)


def _holds_same(one: Any, other: Any) -> bool:
    try:
        held, held_by_other = one.cell_contents, other.cell_contents
    except ValueError:  # nothing is in it yet
        return False
    if callable(held) and callable(held_by_other):
        return is_same(held, held_by_other)
    return type(held) is type(held_by_other) and bool(held == held_by_other)
