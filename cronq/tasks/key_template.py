"""Templates of keys and labels: `"mail:{to}"`, `"stock:{message.product}"`. Pure.

Different arguments make different keys: where a value holds what stands between two values, that is escaped in it.
All other keys are what they ever were, because keys of older releases are stored.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cronq.errors import ArgumentError, OptionError
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ESCAPES = "\\%^~|!"  # the first of them that separates nothing


class KeyTemplate(NamedTuple):
    """A template: each literal with the path behind it, `("message", "product")`, which is empty at the end."""

    parts: tuple[tuple[str, tuple[str, ...]], ...]
    separators: frozenset[str]

    @property
    def parameters(self) -> list[str]:
        return [path[0] for _, path in self.parts if path]


@lru_cache
def read(what: str, key: str) -> KeyTemplate:
    """Return a template, read. Raises OptionError for braces around anything but a parameter, or a field of one."""
    import string

    try:
        parsed = list(string.Formatter().parse(key))
    except ValueError as error:
        raise OptionError(f"{what} {key!r}: {error}: write {{{{ and }}}} for braces that are meant as such") from None
    parts: list[tuple[str, tuple[str, ...]]] = []
    literal = ""
    for text, name, how, conversion in parsed:
        literal += text
        if name is None:  # braces that are meant as such: the literal goes on
            continue
        path = tuple(name.split("."))
        if how or conversion or not all(part.isidentifier() for part in path):
            raise OptionError(
                f"{what} {key!r}: between braces stands the name of a parameter, such as "
                f'"mail:{{to}}", or a field of it, such as "stock:{{message.product}}"'
            )
        parts.append((literal, path))
        literal = ""
    between = [text for text, _ in parts[1:]]
    return KeyTemplate((*parts, (literal, ())), frozenset("".join(map(_separators_in, between))))


def filled(task: str, key: str, named: Callable[[], Mapping[str, Any]]) -> str:
    """Return a key with the arguments of a call, which `named` tells. Raises ArgumentError for what it lacks."""
    if "{" not in key and "}" not in key:
        return key
    template, arguments = read("key", key), named()
    return "".join(
        literal + (_escaped(_value(task, f"key {key!r}", arguments, path), template.separators) if path else "")
        for literal, path in template.parts
    )


def rendered(task: str, text: str, named: Callable[[], Mapping[str, Any]]) -> str:
    """Return a text for people with the arguments of a call. Raises ArgumentError for what it lacks."""
    arguments = named()
    return "".join(
        literal + (_value(task, f"label {text!r}", arguments, path) if path else "")
        for literal, path in read("label", text).parts
    )


def _separators_in(literal: str) -> str:
    """Return the characters that tell where a literal begins: letters and digits only where it has nothing else."""
    return "".join(one for one in literal if not one.isalnum()) or literal


def _value(task: str, what: str, arguments: Mapping[str, Any], path: tuple[str, ...]) -> str:
    name, *fields = path
    if name not in arguments:
        raise ArgumentError(f"task {task}: {what}: this call has no argument {name!r}")
    value = arguments[name]
    for field in fields:
        try:
            value = getattr(value, field)
        except Exception as error:  # a property of the project's own may raise anything
            raise ArgumentError(
                f"task {task}: {what}: {type(value).__name__} has no field {field!r} ({type(error).__name__}: {error})"
            ) from None
    return format(value)


def _escaped(value: str, separators: frozenset[str]) -> str:
    if separators.isdisjoint(value):
        return value
    escape = next(one for one in _ESCAPES if one not in separators)
    return "".join(f"{escape}{one}" if one == escape or one in separators else one for one in value)
