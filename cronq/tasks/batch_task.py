"""Batch tasks: a function that takes a list is called with the items of several messages."""

from __future__ import annotations

import inspect
import typing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cronq.errors import GiveUp, PartlyFailed, UsageError
from cronq.namedtuple import NamedTuple
from cronq.tasks.codec import Codec
from cronq.tasks.context import Context
from cronq.tasks.cursor import Later
from cronq.tasks.signatures import hints_of, signature_of
from cronq.tasks.task import Task
from cronq.tasks.terms import MaxRunning
from cronq.tasks.unrun import refuse_unrun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Concatenate

    from cronq.tasks.options import Options
    from cronq.tasks.task import Sender

MOST = 1000  # items of one call
LONGEST_WAIT_S = 86400.0

T = TypeVar("T")
R = TypeVar("R")


class Gather(NamedTuple):
    """Up to `size` messages in one call; the first waits `wait_s` seconds for the others."""

    size: int
    wait_s: float


class Items(NamedTuple):
    """The parameter that takes the list, the type of what is in it, and whether it has to be given by position."""

    name: str
    type: Any
    by_position: bool


class Ran(NamedTuple):
    """What a call made of its items: the failures by index, and the result of each of the others."""

    failures: Mapping[int, BaseException]
    results: list[object]


class BatchTask(Task[[T], R], Generic[T, R]):
    """A task that is enqueued with one item, and whose function takes a list of items."""

    def __init__(
        self,
        function: Callable[Concatenate[list[T], ...], R],
        name: str,
        options: Options,
        sender: Sender,
        gather: Gather,
    ) -> None:
        _check(name, options, gather)
        self._items = items_of(name, function)
        super().__init__(function, name, options, sender)  # type: ignore[arg-type]  # what is enqueued is one item
        self.run: Callable[..., object] = self._run_alone
        self.gather: int = gather.size
        self.wait_s: float = gather.wait_s
        self._asked = self._asked._replace(gather=gather.size, wait_s=gather.wait_s)

    @cached_property
    def codec(self) -> Codec:
        """How single items are written and read."""
        return _ItemCodec(self.name, _taking_one(self.function, self._items), Context)

    def __call__(self, items: list[T], *args: Any, **kwargs: Any) -> R:  # type: ignore[override]  # a list, here and now
        return self.function(items, *args, **kwargs)  # type: ignore[arg-type]

    def item(self, args: list[Any], kwargs: Mapping[str, Any]) -> object:
        """Return the item in the arguments of one message."""
        return args[0] if args else kwargs[self._items.name]

    def run_together(self, items: list[object], **injected: object) -> Ran:
        """Call the function with several items. Raises what it raises; PartlyFailed only when no item is done."""
        try:
            value = self._called(items, injected)
        except PartlyFailed as error:
            value = error
        refuse_unrun(f"task {self.name}", *(value if isinstance(value, list) else [value]))
        if isinstance(value, Later):
            raise GiveUp("a batch task cannot go on later: there is no place in its list that all its messages share")
        failures = value.failures if isinstance(value, PartlyFailed) else {}
        beyond = [index for index in failures if index >= len(items)]
        if beyond:
            raise UsageError(f"task {self.name}: PartlyFailed names the index {beyond[0]} of {len(items)} items")
        if len(failures) == len(items):
            raise value  # type: ignore[misc]  # it is a PartlyFailed
        return Ran(failures, _results(value, len(items)))

    def _run_alone(self, /, *args: Any, **kwargs: Any) -> object:
        injected = {name: value for name, value in kwargs.items() if name != self._items.name}
        try:
            return self.run_together([self.item(list(args), kwargs)], **injected).results[0]
        except PartlyFailed as error:
            raise error.failures[0] from None

    def _called(self, items: list[object], injected: Mapping[str, object]) -> object:
        if self._items.by_position:
            return self.function(items, **injected)  # type: ignore[arg-type]
        return self.function(**{self._items.name: items}, **injected)  # type: ignore[call-arg]


class _NoResult(NamedTuple):
    """In place of the result of an item, when what the function returned says nothing of single items."""

    why: str


class _ItemCodec(Codec):
    def encode_result(self, value: object) -> bytes:
        if isinstance(value, _NoResult):
            raise TypeError(value.why)
        return super().encode_result(value)


def _results(value: object, many: int) -> list[object]:
    if isinstance(value, list | tuple) and len(value) == many:
        return list(value)
    if value is None or isinstance(value, PartlyFailed):
        return [None] * many
    return [_NoResult(f"a batch task returns nothing, or a list of a result for each of its {many} items")] * many


def items_of(name: str, function: Callable[..., object]) -> Items:
    """Return the parameter that takes the items. Raises UsageError when it is not the only one, and a list."""
    hints = hints_of(name, function)
    taken = [one for one in signature_of(name, function).parameters.values() if hints.get(one.name) is not Context]
    if len(taken) != 1:
        raise UsageError(
            f"task {name}: a batch task has one parameter, such as items: list[str], and may have a Context; "
            f"this one has {len(taken)}"
        )
    (one,) = taken
    hint = hints.get(one.name)
    if typing.get_origin(hint) is not list or one.kind in {one.VAR_POSITIONAL, one.VAR_KEYWORD}:
        raise UsageError(
            f"task {name}: parameter {one.name!r} of a batch task must be a list that says of what, such as list[str]"
        )
    if one.default is not one.empty:
        raise UsageError(
            f"task {name}: parameter {one.name!r} of a batch task cannot have a default: it is always given"
        )
    return Items(one.name, typing.get_args(hint)[0], one.kind is one.POSITIONAL_ONLY)


def _taking_one(function: Callable[..., object], items: Items) -> Callable[..., object]:
    """Return something with the signature that the function would have if it took one item. It is never called."""

    def one() -> None: ...

    signature = inspect.signature(function)
    hints = hints_of(items.name, function) | {items.name: items.type}
    hints["return"] = _item_of(hints.get("return", Any))
    parameters = [each.replace(annotation=hints.get(each.name)) for each in signature.parameters.values()]
    one.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    one.__annotations__ = hints
    return one


def _item_of(returned: Any) -> Any:
    """Return the type of one item's result, when the function returns a list of them."""
    return typing.get_args(returned)[0] if typing.get_origin(returned) is list else Any


def _check(name: str, options: Options, gather: Gather) -> None:
    """Raise UsageError for what makes no sense together."""
    try:
        _check_gather(gather)
        _check_options(options, gather)
    except ValueError as error:
        raise UsageError(f"task {name}: {error}") from None


def _check_gather(gather: Gather) -> None:
    size, wait_s = gather
    if type(size) is not int or not 2 <= size <= MOST:
        raise ValueError(f"size = {size!r}: must be a whole number from 2 to {MOST}; for one at a time take @app.task")
    if type(wait_s) not in {int, float} or not 0 <= wait_s <= LONGEST_WAIT_S:
        raise ValueError(f"wait_s = {wait_s!r}: must be seconds, 0 or more, and at most a day")


def _check_options(options: Options, gather: Gather) -> None:
    if options.isolated:
        raise ValueError("isolated=True gives every message a process of its own; a batch is one call for many")
    if options.ack_first:
        raise ValueError("ack_first=True acks one message before it is run; a batch would lose many with one crash")
    if options.debounce_s:
        raise ValueError("debounce_s lets every message wait for its own time; a batch lets them wait for one another")
    running = options.max_running
    most, key = (running.most, running.key) if isinstance(running, MaxRunning) else (running, None)
    if most is not None and key is None and most < gather.size:
        raise ValueError(f"max_running = {most} counts messages, so no batch could have the size {gather.size}")
