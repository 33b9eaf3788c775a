"""One message, as lines for a terminal and as plain data. What was stored by others is escaped for the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cronq.cli.common import print_json
from cronq.cli.text import at, bold, columns, count, print_lines, span
from cronq.escape import escaped
from cronq.messages.ids import enqueued_at
from cronq.messages.message import UNLIMITED
from cronq.messages.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.messages.attempts import Attempt
    from cronq.messages.message import Message, Record

_LINE = 100  # characters of an error in a table


def as_data(record: Record) -> dict[str, Any]:
    """Return a record as JSON has it. Bytes that are not JSON come as escaped text, under another name."""
    message = record.message
    return {
        **{name: value for name, value in message._asdict().items() if name not in {"body", "headers"}},
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


def show_record(record: Record, as_json: bool) -> None:
    """Print everything known of a message, for a person or for a program."""
    if as_json:
        print_json(as_data(record))
        return
    print_lines(portrait(record))


def portrait(record: Record) -> Iterator[str]:
    """Return everything known of a message as lines."""
    yield from columns([(name, escaped(value)) for name, value in _facts(record) if value])
    yield from _block("arguments", pretty(record.message.body))
    yield from _block("headers", pretty(record.message.headers))
    yield from _block("result", pretty(record.result or b""))
    yield from _attempts(record.attempts)
    yield from _block("error", record.error or "")
    yield from _block("printed by the last attempt", record.attempts[-1].output if record.attempts else "")


def error_line(record: Record) -> str:
    """Return why a message failed, in one line."""
    last = record.attempts[-1] if record.attempts else None
    if last is not None:
        text = f"{last.error_class}: {last.error}" if last.error_class else last.error
    else:  # it failed before attempts were remembered: the last line of a traceback says it
        text = (record.error or "").strip().rpartition("\n")[2]
    line = escaped(" ".join(text.split()))
    return line if len(line) <= _LINE else f"{line[: _LINE - 3]}..."


def attempts_made(message: Message) -> str:
    return str(message.attempt) if message.max_attempts == UNLIMITED else f"{message.attempt}/{message.max_attempts}"


def pretty(stored: bytes) -> str:
    """Return stored JSON over several lines, number for number as it is stored; other bytes escaped."""
    import msgspec

    try:
        return msgspec.json.format(stored, indent=2).decode() if stored else ""
    except (ValueError, RecursionError):
        return _escaped_bytes(stored)


def _facts(record: Record) -> list[tuple[str, str]]:
    message = record.message
    return [
        ("id", message.id),
        ("task", message.task),
        ("queue", message.queue),
        ("state", str(record.state)),
        ("held by", record.holder or ""),
        ("waits for", in_words(record.blocked_by) if record.blocked_by else ""),
        ("enqueued", at(enqueued_at(message.id))),
        ("available", at(message.available_at) if message.available_at else ""),
        ("expires", at(message.expires_at) if message.expires_at is not None else ""),
        ("ended", at(record.finished_at) if record.finished_at is not None else ""),
        ("kept until", at(record.keep_until) if record.keep_until is not None else ""),
        ("priority", str(message.priority)),
        ("unique key", message.unique_key or ""),
        ("running key", f"{message.running_key}, at most {message.max_running}" if message.running_key else ""),
        ("attempts", attempts_made(message)),
    ]


def _attempts(attempts: tuple[Attempt, ...]) -> Iterator[str]:
    if not attempts:
        return
    yield ""
    yield bold(f"the last {count(len(attempts), 'failed attempt')}" if len(attempts) > 1 else "failed attempt")
    yield from columns([_attempt(one) for one in attempts], frozenset({0}))


def _attempt(one: Attempt) -> tuple[str, ...]:
    took = "" if one.took_s is None else f"{one.took_s:.1f}s" if one.took_s < 10 else span(one.took_s)
    peak = "" if one.peak_mb is None else f"{one.peak_mb:.0f} MB"
    why = f"{one.error_class}: {one.error}" if one.error_class else one.error
    return (f"  {one.attempt}", at(one.at), escaped(one.host), escaped(one.slot), took, peak, escaped(why))


def _block(title: str, text: str) -> Iterator[str]:
    if text:
        yield ""
        yield bold(title)
        for line in text.rstrip("\n").split("\n"):
            yield f"  {escaped(line)}"


def _data_of(name: str, raw_name: str, stored: bytes) -> dict[str, Any]:
    if not stored:
        return {name: None}
    try:
        return {name: json.loads(stored.decode(), parse_constant=_refuse)}
    except (ValueError, RecursionError):
        return {name: None, raw_name: _escaped_bytes(stored)}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _escaped_bytes(stored: bytes) -> str:
    return ascii(stored)[2:-1]
