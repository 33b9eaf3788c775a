"""What a task asks for beyond its turn: that it waits only once, that few of it run at once, not too often.

Written at a task or for one call; here it is checked, and made into what a message carries. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from cronq.errors import ArgumentError, OptionError
from cronq.messages.message import UNTIL_DONE, WHILE_WAITING
from cronq.namedtuple import NamedTuple
from cronq.tasks.key_template import filled, read
from cronq.tasks.option_values import LONGEST_S, check_flag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cronq.messages.message import Message

KEY_LENGTH = 200
DEBOUNCED_AT_MOST = 10  # times `debounce_s` after the first call it runs, even if the calls never end
_TAKES_ANY_NAME = 0x08  # inspect.CO_VARKEYWORDS

Key = str | Callable[..., str]


@dataclass(frozen=True, slots=True)
class Unique:
    """One message of a task and a `key` at a time.

    The key is text with parameters or fields of them, `"mail:{to}"`, `"stock:{message.product}"`, or what a function
    makes of the arguments. Further calls are dropped, or with `replace` give the waiting message their own arguments.
    That ends when the message is `"done"`, when it is no longer `"waiting"`, or so many seconds after it was enqueued,
    whatever has become of it.
    """

    key: Key
    until: str | float = "done"
    replace: bool = False

    def __post_init__(self) -> None:
        _check_key("unique", self.key)
        check_flag("unique: replace", self.replace)
        if isinstance(self.until, str) and self.until in {"done", "waiting"}:
            return
        if not _is_number(self.until) or not 0 < float(self.until) <= LONGEST_S:
            raise OptionError(f'unique: until = {self.until!r}: must be "done", "waiting", or seconds, more than 0')


@dataclass(frozen=True, slots=True)
class MaxRunning:
    """At most `most` messages of a `key` run at once. Tasks with the same key share it; without one it is the task."""

    most: int
    key: Key | None = None

    def __post_init__(self) -> None:
        if isinstance(self.most, bool) or not isinstance(self.most, int) or not 0 < self.most <= 100_000:
            raise OptionError(f"max_running = {self.most!r}: must be a whole number from 1 to 100000")
        if self.key is not None:
            _check_key("max_running", self.key)


class Asked(NamedTuple):
    """The terms of a task, or of one call of it. `debounce_s`: wait for the calls to stop, then run the last.

    Up to `gather` messages are run in one call; the first waits `wait_s` for the others.
    """

    unique: Unique | None = None
    max_running: MaxRunning | None = None
    debounce_s: float = 0.0
    gather: int = 0
    wait_s: float = 0.0

    @property
    def keys(self) -> tuple[Key | None, ...]:
        """The keys that they have: texts and functions."""
        return tuple(None if one is None else one.key for one in (self.unique, self.max_running))

    def or_else(self, other: Asked) -> Asked:
        """Return these terms, and those of `other` where nothing is said."""
        if not any(other):
            return self
        debounce_s = self.debounce_s or (0.0 if self.unique else other.debounce_s)
        unique, max_running = self.unique or other.unique, self.max_running or other.max_running
        return Asked(unique, max_running, debounce_s, other.gather, other.wait_s)


class Terms(NamedTuple):
    """The terms of one call, with its keys: times are relative to when it is enqueued.

    `unique_for` is WHILE_WAITING, UNTIL_DONE, or seconds.
    """

    unique_key: str | None = None
    unique_for: float = WHILE_WAITING
    replaces: float = 0.0
    delay_s: float = 0.0
    running_key: str | None = None
    max_running: int = 0
    gather: int = 0
    wait_s: float = 0.0

    def laid_on(self, message: Message, now: float) -> Message:
        """Return the message under these terms."""
        lasts = 0 < self.unique_for < UNTIL_DONE
        laid = message._replace(
            unique_key=self.unique_key,
            unique_until=now + self.unique_for if lasts else self.unique_for,
            replaces=self.replaces,
            available_at=max(message.available_at, now + self.delay_s if self.delay_s else 0.0),
            running_key=self.running_key,
            max_running=self.max_running,
        )
        return self._gathering(laid, now) if self.gather else laid

    def _gathering(self, message: Message, now: float) -> Message:
        """Return a message that waits for others. One with a time of its own, or too little of it, is run alone."""
        until = now + self.wait_s
        if message.available_at or (message.expires_at is not None and message.expires_at <= until):
            return message
        replaces = min(message.replaces, self.wait_s) if self.wait_s else message.replaces
        return message._replace(gather=self.gather, available_at=until, replaces=replaces)


def asked(unique: object, max_running: object, debounce_s: object) -> Asked:
    """Read what stands at a task or in `using(...)`. Raises OptionError that says what would be right."""
    if not _is_number(debounce_s) or not 0 <= float(debounce_s) <= LONGEST_S:  # type: ignore[arg-type]
        raise OptionError(f"debounce_s = {debounce_s!r}: must be seconds, 0 for none")
    if unique is not None and not isinstance(unique, Unique):
        unique = Unique(unique, "waiting" if debounce_s else "done")  # type: ignore[arg-type]
    if debounce_s and unique is not None and unique.until != "waiting":
        raise OptionError(
            f"debounce_s with until = {unique.until!r}: a call while the task runs must be run after it: "
            f'Unique(key, until="waiting")'
        )
    if max_running is not None and not isinstance(max_running, MaxRunning):
        max_running = MaxRunning(max_running)  # type: ignore[arg-type]
    return Asked(unique, max_running, float(debounce_s))  # type: ignore[arg-type]


def check_names(what: str, templates: Iterable[Key | None], function: Callable[..., object]) -> None:
    """Raise OptionError when a key or label names a parameter that the function does not have."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & _TAKES_ANY_NAME:
        return  # then it is seen when it is called
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for template in templates:
        for name in read(what, template).parameters if isinstance(template, str) else ():
            if name not in known:
                raise OptionError(
                    f"{what} {template!r}: {name!r} is none of its parameters ({', '.join(known) or 'none'})"
                )


def terms_of_call(
    task: str, wanted: Asked, args: tuple[Any, ...], kwargs: Mapping[str, Any], named: Callable[[], Mapping[str, Any]]
) -> Terms:
    """Return the terms of one call; `named` tells its arguments by name. Raises ArgumentError for what is no key."""

    def text(what: str, key: Key) -> str:
        made = called(f"task {task}: the key of {what}", key, args, kwargs) if callable(key) else None
        return _checked_text(task, what, filled(task, key, named) if isinstance(key, str) else made)

    unique, running = wanted.unique, wanted.max_running
    found = Terms(gather=wanted.gather, wait_s=wanted.wait_s)
    if unique is not None or wanted.debounce_s:
        key = "" if unique is None else text("unique", unique.key)
        found = found._replace(
            unique_key=f"{task} {key}" if key else task, unique_for=_lasts(unique, wanted.debounce_s)
        )
    if wanted.debounce_s:
        found = found._replace(replaces=DEBOUNCED_AT_MOST * wanted.debounce_s, delay_s=wanted.debounce_s)
    elif unique is not None and unique.replace:
        found = found._replace(replaces=inf)
    if running is not None:
        key = task if running.key is None else text("max_running", running.key)
        found = found._replace(running_key=key, max_running=running.most)
    return found


def _lasts(unique: Unique | None, debounce_s: float) -> float:
    if unique is None or debounce_s or unique.until == "waiting":
        return WHILE_WAITING
    return UNTIL_DONE if unique.until == "done" else float(unique.until)


def called(whose: str, key: Callable[..., str], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return what a function of the project makes of the arguments of a call. Raises ArgumentError."""
    try:
        return key(*args, **kwargs)
    except Exception as error:  # the project's own code, and its parameters may not be those of the task
        raise ArgumentError(
            f"{whose}: its function, called with the arguments of the call, raised {type(error).__name__}: {error}"
        ) from error


def _checked_text(task: str, what: str, text: object) -> str:
    if not isinstance(text, str) or not text:
        from cronq.tasks.unrun import unrun_in_words

        shown = unrun_in_words(text) or repr(text)
        raise ArgumentError(f"task {task}: the key of {what} must be text, not {shown}")
    if len(text) > KEY_LENGTH:
        raise ArgumentError(
            f"task {task}: the key of {what} has {len(text)} characters, {KEY_LENGTH} are allowed: take a part of it"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"task {task}: the key of {what} holds half characters: {text!r}") from None
    return text


def _check_key(what: str, key: object) -> None:
    """Refuse what can be no key."""
    if callable(key):
        return
    if not isinstance(key, str) or not key:
        raise OptionError(f'{what}: key = {key!r}: must be text, such as "mail:{{to}}", or a function that returns it')
    read(f"{what}: key", key)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
