"""A plain call of a task that takes a Context: callers leave it out, and it is filled in here as well."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from cronq.errors import UsageError
from cronq.tasks.context import CURRENT, Context
from cronq.tasks.signatures import hints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Arguments(NamedTuple):
    """What a function is called with."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def with_context(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
    """Return the arguments of a call with CURRENT where the function takes a Context that has no default.

    As they are when that makes no call of it: somebody has passed what stands in for one.
    """
    if any(isinstance(one, Context) for one in (*args, *kwargs.values())):
        return Arguments(args, kwargs)
    signature = inspect.signature(function)
    for index, one in enumerate(signature.parameters.values()):
        if one.default is one.empty and one.name not in kwargs and _is_context(function, one.name):
            is_by_position = one.kind is not one.KEYWORD_ONLY and index < len(args)
            filled = (
                Arguments((*args[:index], CURRENT, *args[index:]), kwargs)
                if is_by_position
                else Arguments(args, {**kwargs, one.name: CURRENT})
            )
            return filled if _fits(signature, filled) else Arguments(args, kwargs)
    return Arguments(args, kwargs)


def _is_context(function: Callable[..., Any], parameter: str) -> bool:
    try:
        return hints_of("", function).get(parameter) is Context
    except UsageError:  # said when it is enqueued
        return False


def _fits(signature: inspect.Signature, call: Arguments) -> bool:
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError:
        return False
    return True
