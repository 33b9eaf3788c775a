"""Wording for people: spans of time, counts, columns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli.table_writer import Fit, lay_out
from cronq.cli.terminal import line_width
from cronq.config.durations import format_duration
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ROUND_TO = ((86400.0, 3600), (3600.0, 60))  # from so many seconds on, so fine


def span(seconds: float) -> str:
    """Return a span of time as a person says it, such as `12s`, `4m10s` or `2h5m`: two units are enough."""
    step = next((step for least, step in _ROUND_TO if seconds >= least), 1)
    return format_duration(max(0, round(seconds / step)) * step)


def ago(seconds: float | None) -> str:
    """Return `12s ago`, or `never`."""
    return "never" if seconds is None else f"{span(seconds)} ago"


def relative(seconds: float) -> str:
    """Return `in 12s` for what comes, `12s ago` for what was."""
    return f"in {span(seconds)}" if seconds >= 0 else ago(-seconds)


def at(wall: float) -> str:
    """Return a point in time, in the host's own time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall))


def at_zoned(wall: float) -> str:
    """Return a point in time as `at` does, with what that zone is called then: `2026-07-01 04:30:00 CEST`."""
    return at(wall) + time.strftime(" %Z", time.localtime(wall))


def count(number: int, noun: str) -> str:
    """Return `1 message`, `2 messages`, `2 processes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def say(text: str, err: bool = False) -> None:
    """Print one line, with nothing in it that would steer the terminal."""
    click.echo(escaped(text), err=err)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines that were made here: `columns`, `table`, `red` and the like have escaped what others wrote."""
    for line in lines:
        click.echo(line)


def columns(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Return rows as lines of aligned columns; those numbered in `right` are right-aligned. Nothing is cut."""
    places = range(len(rows[0])) if rows else ()
    return lay_out(rows, [Fit.NUMBER if place in right else Fit.WHOLE for place in places])


def table(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Return rows as `columns` does, the first of them as the bold head."""
    head, *lines = columns(rows, right)
    return [bold(head), *lines]


def paragraph(text: str) -> list[str]:
    """Return a sentence in lines that fit the terminal, the later ones set in; in one where nothing bounds it."""
    width = line_width()
    if width is None:
        return [text]
    import textwrap

    lines = textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return lines or [text]


def red(text: str) -> str:
    """Return text that is red on a terminal; click takes the colour away elsewhere."""
    return click.style(escaped(text), fg="red")


def yellow(text: str) -> str:
    return click.style(escaped(text), fg="yellow")


def bold(text: str) -> str:
    return click.style(escaped(text), bold=True)
