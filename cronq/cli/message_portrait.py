"""One message, with everything that is known of it. What was stored by others is escaped for the terminal."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from cronq.cli.answer import Answer
from cronq.cli.message_lists import as_data, attempts_made, escaped_bytes
from cronq.cli.text import at, bold, columns, count, span
from cronq.escape import escaped
from cronq.messages.ids import enqueued_at
from cronq.messages.own_headers import label_of
from cronq.messages.reasons import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.messages.attempts import Attempt
    from cronq.messages.message import Record


def portrait(record: Record, log: Sequence[str] | None = None) -> Answer:
    """Return everything known of a message, with what the event log has of it where that was asked for."""
    if log is None:
        return Answer(lambda: _lines(record), lambda: as_data(record))
    return Answer(lambda: chain(_lines(record), log_block(log)), lambda: as_data(record) | {"log": list(log)})


def log_block(log: Sequence[str]) -> Iterator[str]:
    yield from _block("event log", "\n".join(log) or "nothing: it has what went wrong, not what succeeded")


def pretty(stored: bytes) -> str:
    """Return stored JSON over several lines, number for number as it is stored; other bytes escaped."""
    import msgspec

    try:
        return msgspec.json.format(stored, indent=2).decode() if stored else ""
    except (ValueError, RecursionError):
        return escaped_bytes(stored)


def _lines(record: Record) -> Iterator[str]:
    yield from columns([(name, escaped(value)) for name, value in _facts(record) if value])
    yield from _block("arguments", pretty(record.message.body))
    yield from _block("headers", pretty(record.message.headers))
    yield from _block("result", pretty(record.result or b""))
    yield from _attempts(record.attempts)
    yield from _block("error", record.error or "")
    yield from _block("printed by the last attempt", record.attempts[-1].output if record.attempts else "")


def _facts(record: Record) -> list[tuple[str, str]]:
    message = record.message
    return [
        ("id", message.id),
        ("task", message.task),
        ("label", label_of(message)),
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
    for one, line in zip(attempts, columns([_attempt(one) for one in attempts], frozenset({0})), strict=True):
        yield line
        yield f"      {escaped(f'{one.error_class}: {one.error}' if one.error_class else one.error)}"


def _attempt(one: Attempt) -> tuple[str, ...]:
    took = "" if one.took_s is None else f"{one.took_s:.1f}s" if one.took_s < 10 else span(one.took_s)
    peak = "" if one.peak_mb is None else f"{one.peak_mb:.0f} MB"
    return (f"  {one.attempt}", at(one.at), one.host, one.slot, took, peak)


def _block(title: str, text: str) -> Iterator[str]:
    if text:
        yield ""
        yield bold(title)
        for line in text.rstrip("\n").split("\n"):
            yield f"  {escaped(line)}"
