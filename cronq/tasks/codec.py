"""Task arguments as JSON, and back through the task's type hints (msgspec).

A body is one JSON object with the parameters by name: readable in the failure queue, editable by hand,
and indifferent to the order of parameters in a later release.
msgspec is imported with the first message, not with cronq: it costs 18 ms that a web process may never need.
"""

from __future__ import annotations

import inspect
import typing
from functools import cached_property, partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from cronq.errors import ArgumentError, BodyError, UsageError
from cronq.tasks.round_trip import difference, is_json, no_number, unchanged_by
from cronq.tasks.signatures import hints_of, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_REST = inspect.Parameter.VAR_POSITIONAL
_NUMBERS = (int, float)


class Codec:
    """Writes the arguments of one callable and reads them back with the types it declares.

    `injected` is the class whose parameter is filled in at run time (the Context) and never stored.
    Raises UsageError for a callable whose type hints cannot be resolved or stored.
    """

    def __init__(self, name: str, function: Callable[..., object], injected: type | None = None) -> None:
        import msgspec

        self._name = name
        self._hints = hints_of(name, function)
        self._returned = self._hints.pop("return", Any)
        self._injected_as = [
            parameter for parameter, hint in self._hints.items() if injected is not None and hint is injected
        ]
        signature = signature_of(name, function)
        self._stored = [one for one in signature.parameters.values() if one.name not in self._injected_as]
        self._refuse_injected_by_position(signature)
        self._bindable = signature.replace(parameters=self._stored)
        self._by_position = [one.name for one in self._stored if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        self._unchanged = {one.name: self._unchanged_in(one) for one in self._stored}
        self._encode = msgspec.json.Encoder(enc_hook=_encode_other).encode
        self._to_builtins = partial(msgspec.to_builtins, enc_hook=_encode_other)
        self._encode_error = (TypeError, ValueError, OverflowError, RecursionError)
        self._struct_as_dict = msgspec.structs.asdict
        self._unset = msgspec.UNSET
        try:
            self._decoder: Any = msgspec.json.Decoder(self._struct(msgspec, self._stored), dec_hook=_decode_other)
        except TypeError as error:
            raise UsageError(f"task {name}: a type hint that JSON cannot hold: {error}") from error
        self._has_optional = any(one.default is not inspect.Parameter.empty for one in self._stored)
        self._positional = [
            one.name
            for one in self._stored
            if one.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL}
        ]
        self._rest = [one.name for one in self._stored if one.kind is _REST]
        self._variable_names = [one.name for one in self._stored if one.kind is inspect.Parameter.VAR_KEYWORD]

    def _refuse_injected_by_position(self, signature: inspect.Signature) -> None:
        kinds = [one.kind for one in signature.parameters.values()]
        by_position: set[object] = {inspect.Parameter.POSITIONAL_ONLY}
        if _REST in kinds:
            by_position.add(inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for name in self._injected_as:
            if signature.parameters[name].kind in by_position:
                raise UsageError(
                    f"task {self._name}: parameter {name!r} cannot be filled in where it stands: put it behind the "
                    f"others, as a keyword-only parameter"
                )

    def _struct(self, msgspec: Any, parameters: Iterable[inspect.Parameter]) -> type:
        fields: list[tuple[Any, ...]] = []
        for parameter in parameters:
            name, hint = parameter.name, self._hints.get(parameter.name, Any)
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                fields.append((name, list[hint], msgspec.field(default_factory=list)))  # type: ignore[valid-type]
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                fields.append((name, dict[str, hint], msgspec.field(default_factory=dict)))  # type: ignore[valid-type]
            elif parameter.default is inspect.Parameter.empty:
                fields.append((name, hint))
            else:
                fields.append((name, typing.Union[hint, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007 - hint may be text
        struct: type = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
        return struct

    def encode(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bytes:
        """Return the JSON body of one call.

        What comes back later is checked now: raises ArgumentError that names the argument and what it should be.
        """
        if not args and not kwargs:
            return self._of_nothing
        return self._written(self._bound(args, kwargs), self._decoder)

    @cached_property
    def _of_nothing(self) -> bytes:
        """The body of a call without arguments: always the same, so it is written and checked once."""
        return self._written(self._bound((), {}), self._decoder)

    def encode_json(self, arguments: Mapping[str, object]) -> bytes:
        """As `encode`, for arguments that were JSON before: the type hints read them, text is a date where one is due.

        So a schedule's arguments come out of a file or a transport. What is no JSON has to come back as it was.
        """
        return self._written(self._bound((), arguments), self._decoder, by_hints=True)

    def from_json(
        self, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """Return arguments that are JSON, from a shell say, as a program would give them. Raises ArgumentError."""
        bound = self._bound_of(args, kwargs)
        back = self._decoder.decode(self._written(bound.arguments, self._decoder, by_hints=True))
        bound.arguments.update({name: getattr(back, name) for name in bound.arguments})
        return bound.args, bound.kwargs

    def encode_open(
        self, args: tuple[object, ...], kwargs: Mapping[str, object], placeholder: object
    ) -> tuple[bytes, tuple[str, ...]]:
        """Return the body of a call some of whose arguments are not known yet, and the names of these.

        All others are checked now. Raises ArgumentError.
        """
        import msgspec

        bound = self._bound(args, kwargs)
        into = tuple(name for name, value in bound.items() if value is placeholder)
        given = {name: value for name, value in bound.items() if name not in into}
        known = [one for one in self._stored if one.name not in into]
        return self._written(given, msgspec.json.Decoder(self._struct(msgspec, known), dec_hook=_decode_other)), into

    def encode_result(self, value: object) -> bytes:
        """Return what the callable returned as JSON. Raises whatever its type does; ValueError for NaN, infinity."""
        body = self._encode(value)
        if b"null" in body and (found := no_number(self._to_builtins(value))) is not None:
            raise ValueError(found.text("result", "the result"))
        return body

    def decode_result(self, stored: bytes) -> Any:
        """Return a kept result with the type that the callable says it returns; as JSON has it where that is not so."""
        import msgspec

        try:
            return self._result_decoder.decode(stored)
        except msgspec.ValidationError:
            return msgspec.json.decode(stored)

    @cached_property
    def _result_decoder(self) -> Any:
        import msgspec

        try:
            return msgspec.json.Decoder(self._returned, dec_hook=_decode_other)
        except TypeError:  # an annotation that JSON cannot hold: what was written came of the value alone
            return msgspec.json.Decoder()

    def _bound(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Mapping[str, object]:
        if not kwargs and len(args) == len(self._by_position) == len(self._stored):
            return dict(zip(self._by_position, args, strict=True))  # what bind() takes ten times as long for
        return self._bound_of(args, kwargs).arguments

    def _bound_of(self, args: Sequence[object], kwargs: Mapping[str, object]) -> inspect.BoundArguments:
        try:
            return self._bindable.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"task {self._name}: {error}") from None

    def _written(self, arguments: Mapping[str, object], decoder: Any, by_hints: bool = False) -> bytes:
        try:
            body = self._encode(arguments)
        except self._encode_error:
            raise self._not_encodable(arguments) from None
        try:
            back = decoder.decode(body)
        except Exception as error:  # a dataclass may raise anything while it is made
            raise self._not_read(arguments, error) from error
        for name, given in arguments.items():
            if type(given) not in self._unchanged[name]:
                value, came = list(given) if name in self._rest else given, getattr(back, name)  # type: ignore[call-overload]  # a tuple
                if type(value) in _NUMBERS and type(came) in _NUMBERS and value == came:
                    continue  # what `difference` says as well, in a tenth of the time
                if not (by_hints and is_json(value)):
                    self._refuse_change(name, value, came)
        return body

    def _refuse_change(self, name: str, sent: object, back: object) -> None:
        try:
            found = difference(sent, back)
        except RecursionError:
            raise ArgumentError(f"task {self._name}: argument {name!r} is nested too deeply") from None
        if found is not None:
            raise ArgumentError(f"task {self._name}: {found.text(name)}")

    def named(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
        """Return the arguments of a call by name, defaults included. Raises ArgumentError."""
        bound = self._bound_of(args, kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        for name in self._variable_names:
            arguments.update(arguments.pop(name))
        return arguments

    def decode(self, body: bytes) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the keyword arguments of a stored call. Raises BodyError."""
        try:
            arguments = self._struct_as_dict(self._decoder.decode(body))
        except Exception as error:  # a dataclass may raise anything while it is made: its message must not end us
            raise BodyError(f"task {self._name}: the stored arguments do not fit it: {_with_name(error)}") from error
        if self._has_optional:
            arguments = {name: value for name, value in arguments.items() if value is not self._unset}
        positional = [] if not self._positional else self._take_positional(arguments)
        for name in self._variable_names:
            arguments.update(arguments.pop(name))
        return positional, arguments

    @property
    def parameters(self) -> list[str]:
        """The parameters that a message holds, in order."""
        return [one.name for one in self._stored]

    @property
    def injects(self) -> list[str]:
        """The parameters that are filled in at run time."""
        return self._injected_as

    def _take_positional(self, arguments: dict[str, Any]) -> list[Any]:
        kinds = {one.name: one.kind for one in self._stored}
        rest = [value for name in self._positional if kinds[name] is _REST for value in arguments.pop(name)]
        by_position: set[object] = {inspect.Parameter.POSITIONAL_ONLY}
        if rest:  # only then all before it were given: otherwise a skipped default would shift the others
            by_position.add(inspect.Parameter.POSITIONAL_OR_KEYWORD)
        first = [name for name, kind in kinds.items() if kind in by_position and name in arguments]
        return [arguments.pop(name) for name in first] + rest

    def _unchanged_in(self, parameter: inspect.Parameter) -> frozenset[type]:
        several = parameter.kind in {_REST, inspect.Parameter.VAR_KEYWORD}
        return frozenset() if several else unchanged_by(self._hints.get(parameter.name, Any))

    def _not_read(self, arguments: Mapping[str, object], error: Exception) -> ArgumentError:
        """Say why arguments cannot be read back: JSON has null for what is no number, and that is seldom wanted."""
        for name, value in arguments.items():
            found = no_number(self._to_builtins(value))
            if found is not None:
                return ArgumentError(f"task {self._name}: {found.text(name)}")
        return ArgumentError(f"task {self._name}: {_with_name(error)}")

    def _not_encodable(self, arguments: Mapping[str, object]) -> ArgumentError:
        for name, value in arguments.items():
            try:
                self._encode(value)
            except self._encode_error as error:
                return ArgumentError(
                    f"task {self._name}: argument {name!r} ({type(value).__name__}) cannot be written as JSON: "
                    f"{error}; pass an id or a path instead of an object"
                )
        return ArgumentError(f"task {self._name}: the arguments cannot be written as JSON")


def _encode_other(value: object) -> object:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _decode_other(kind: type, value: object) -> object:
    if isinstance(kind, type) and issubclass(kind, PurePath):
        if not isinstance(value, str):
            raise ValueError(f"a path is text, not {type(value).__name__}")
        return kind(value) if kind is not PurePath else Path(value)
    raise TypeError(f"{kind!r} cannot be read from JSON")


def _with_name(error: BaseException) -> str:
    """Turn msgspec's "... - at `$.to`" into words that name the argument."""
    text, at, path = str(error).partition(" - at `$.")
    return f"argument {path.rstrip('`')!r}: {text}" if at else text
