"""Messages in lists and as data. A new column, or a new fact of `--json`, is a change in this file alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cronq.cli.lists import Column, Listing
from cronq.cli.table_writer import Fit
from cronq.cli.text import span
from cronq.escape import escaped
from cronq.messages.ids import enqueued_at
from cronq.messages.message import UNLIMITED, State
from cronq.messages.own_headers import label_of
from cronq.messages.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cronq.messages.message import Message, Record

_LINE = 100  # characters of an error in a table


def failed_messages(now: float, short: Callable[[str], str], with_args: bool = False) -> Listing[Record]:
    """Return how failed messages are listed, their ids as `short` has them."""
    return Listing(
        as_data,
        *_names(short),
        Column("failed", lambda one: span(max(0.0, now - (one.finished_at or now))), Fit.NUMBER),
        _ATTEMPTS,
        Column("error", error_line, Fit.TEXT),
        below=_arguments if with_args else None,
        empty="no failed messages",
    )


def all_messages(now: float, short: Callable[[str], str], with_args: bool = False) -> Listing[Record]:
    """Return how messages of any state are listed, their ids as `short` has them."""
    return Listing(
        as_data,
        *_names(short),
        Column("state", lambda one: str(one.state)),
        Column("age", lambda one: span(max(0.0, now - enqueued_at(one.message.id))), Fit.NUMBER),
        _ATTEMPTS,
        Column("", lambda one: _note(one, now), Fit.TEXT),
        below=_arguments if with_args else None,
        empty="no messages",
    )


def as_data(record: Record) -> dict[str, Any]:
    """Return a record as JSON has it. Bytes that are not JSON come as escaped text, under another name."""
    message = record.message
    return {
        **{name: value for name, value in message._asdict().items() if name not in {"body", "headers"}},
        "label": label_of(message) or None,
        "state": str(record.state),
        "enqueued_at": enqueued_at(message.id),
        "holder": record.holder,
        "blocked_by": record.blocked_by,
        **_data_of("arguments", "body", message.body),
        **_data_of("headers", "raw_headers", message.headers),
        **_data_of("result", "raw_result", record.result or b""),
        "finished_at": record.finished_at,
        "keep_until": record.keep_until,
        "error_class": record.error_class,
        "error": record.error,
        "attempts": [attempt._asdict() for attempt in record.attempts],
    }


def error_line(record: Record) -> str:
    """Return why a message failed, in one line."""
    last = record.attempts[-1] if record.attempts else None
    if last is not None:
        text = f"{last.error_class}: {last.error}" if last.error_class else last.error
    else:  # it failed before attempts were remembered: the last line of a traceback says it
        text = (record.error or "").strip().rpartition("\n")[2]
    line = escaped(" ".join(text.split()))
    return line if len(line) <= _LINE else f"{line[: _LINE - 3]}..."


def arguments_in_line(body: bytes) -> str:
    """Return the arguments of a message in one line, as a call has them: `to="ada", copies=2`."""
    given = _data_of("arguments", "body", body)["arguments"]
    if not isinstance(given, dict):
        return escaped_bytes(body)
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items())


def attempts_made(message: Message) -> str:
    return str(message.attempt) if message.max_attempts == UNLIMITED else f"{message.attempt}/{message.max_attempts}"


def escaped_bytes(stored: bytes) -> str:
    return ascii(stored)[2:-1]


_ATTEMPTS: Column[Record] = Column("attempts", lambda one: attempts_made(one.message), Fit.NUMBER)


def _names(short: Callable[[str], str]) -> Iterator[Column[Record]]:
    yield Column("id", lambda one: short(one.message.id))
    yield Column("task", lambda one: one.message.task, Fit.NAME)
    yield Column("label", lambda one: label_of(one.message), Fit.TEXT, only_if_any=True)
    yield Column("queue", lambda one: one.message.queue, Fit.NAME)


def _arguments(record: Record) -> str:
    return arguments_in_line(record.message.body)


def _note(record: Record, now: float) -> str:
    at = record.message.available_at
    if record.state is State.DELAYED:
        return f"in {span(at - now)}" if at > now else "due"
    if record.state is State.BLOCKED:
        return f"waits for {in_words(record.blocked_by or '?')}"
    return record.holder or ""


def _data_of(name: str, raw_name: str, stored: bytes) -> dict[str, Any]:
    if not stored:
        return {name: None}
    try:
        return {name: json.loads(stored.decode(), parse_constant=_refuse)}
    except (ValueError, RecursionError):
        return {name: None, raw_name: escaped_bytes(stored)}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
