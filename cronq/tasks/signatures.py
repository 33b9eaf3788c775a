"""Callables and calls that can be none of a task's: refused where they stand, in words, with the task's name."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from cronq.errors import ArgumentError, UsageError
from cronq.tasks.same_function import innermost

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterable, Iterator, Mapping

_TAKES_MANY = (0x04, 0x08)  # *args, **kwargs (inspect.CO_...), whose names stand behind those of the others


def check_function(given: Any) -> None:
    """Raise UsageError for what is no function that a task can be made of."""
    if hasattr(given, "enqueue_many"):
        raise UsageError(f"{given!r} is a task already: leave one of the two decorators away")
    inner = innermost(given)
    if not callable(given) or not isinstance(inner, FunctionType | MethodType | BuiltinFunctionType | type):
        raise UsageError(
            f"{given!r:.200} cannot be a task: it must be a function; write one around it: def task(...): ..."
        )
    code = getattr(inner, "__code__", None)
    if code is None:
        signature_of(getattr(given, "__qualname__", repr(given)), given)
        return
    many = sum(1 for flag in _TAKES_MANY if code.co_flags & flag)
    for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + many]:
        if name.startswith("__") and not name.endswith("__"):
            raise UsageError(
                f"task {given.__qualname__}: parameter {name!r} begins with two underscores, which no message can "
                f"hold: name it {name.lstrip('_')!r}"
            )


def check_name(name: object) -> None:
    """Raise UsageError for what a task cannot be named."""
    if name is not None and (not isinstance(name, str) or not name or not name.isprintable()):
        raise UsageError(f'name = {name!r}: must be text, such as "shop.send_mail"')


def signature_of(name: str, function: Callable[..., object]) -> inspect.Signature:
    """Return the signature of a callable. Raises UsageError when it has none."""
    import inspect

    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise UsageError(f"task {name}: {error}; write a function around it: def task(...): ...") from None


def hints_of(name: str, function: Callable[..., object]) -> dict[str, Any]:
    """Return the type hints of a callable. Raises UsageError for those that cannot be resolved."""
    import typing

    try:
        return typing.get_type_hints(function)
    except Exception as error:  # hints are expressions: they may raise anything
        raise UsageError(
            f"task {name}: its type hints cannot be resolved ({error}): import the types at run time, "
            f"not only under TYPE_CHECKING"
        ) from error


def checked_pairs(task: str, calls: Any) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """Yield the calls of `enqueue_many`. Raises ArgumentError for what is no pair; what an iterator raises passes."""
    for index, one in enumerate(iterated(task, calls)):
        is_pair = isinstance(one, tuple | list) and len(one) == 2
        if not is_pair or not isinstance(one[0], tuple | list) or not _is_named(one[1]):
            raise ArgumentError(
                f"task {task}: call {index} of enqueue_many is {one!r:.100}: must be a pair of arguments by position "
                f'and by name, such as (("ada",), {{}})'
            )
        yield tuple(one[0]), one[1]


def iterated(task: str, items: Any) -> Iterable[Any]:
    """Return what can be iterated over. Raises ArgumentError."""
    if not hasattr(items, "__iter__"):
        raise ArgumentError(f"task {task}: {items!r:.100} is no list: must be something to iterate over")
    return items  # type: ignore[no-any-return]  # it has just been asked


def _is_named(given: Any) -> bool:
    return hasattr(given, "keys") and all(isinstance(name, str) for name in given)
