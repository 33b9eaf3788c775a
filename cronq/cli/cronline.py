"""The crontab line that ticks, and finding such lines in a crontab. Pure: text in, text out."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from cronq.errors import UsageError
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEDULE = re.compile(r"\s*(?:@\w+|[\w*,/~?-]+(?:\s+[\w*,/~?-]+){4})\s+(?P<command>\S.*)")

# What cron makes of a command: the first bare % ends it, the rest is its input, and `\%` is a % (crontab(5)). Of two
# backslashes Debian's cron keeps one, cronie both; so in what we write none stands before another, nor before a %.
_COMMAND = re.compile(r"(?:\\[\\%]|[^%])*")
_ESCAPED = re.compile(r"\\([\\%])")
_BACKSLASH_BEFORE = re.compile(r"\\(?=[\\%])")


class Job(NamedTuple):
    """A crontab line that calls `cronq tick`: the program as written, and the --config it names, if any."""

    number: int
    program: str
    config: str | None

    def ticks(self, config: str) -> bool:
        """Tell whether it is for this configuration file, also when either path goes through a symbolic link."""
        named = os.path.expanduser(os.path.join("~", self.config)) if self.config else ""
        return bool(named) and os.path.realpath(named) == os.path.realpath(config)


def line_for(command: Sequence[str], every: int = 1, assignments: Sequence[str] = ()) -> str:
    """Return the line that runs `command` every so many minutes, quoted for /bin/sh and then for cron."""
    words = [*(f"{name}={shlex.quote(value)}" for name, _, value in (one.partition("=") for one in assignments))]
    text = " ".join([*words, *map(shlex.quote, command)])
    if not text.isprintable():
        raise UsageError(f"{text!r}: a crontab line cannot hold such a path: move the project to a plainer one")
    minutes = "*" if every == 1 else f"*/{every}"
    apart = _BACKSLASH_BEFORE.sub(r"\\''", text)  # it stands within shlex's quotes, which this ends and begins anew
    return f"{minutes} * * * * {apart.replace('%', chr(92) + '%')}"


def jobs(crontab: str) -> list[Job]:
    """Return the lines of a crontab that call `cronq tick`, by line number from 1."""
    found = (_job(number, line) for number, line in enumerate(crontab.split("\n"), 1))
    return [job for job in found if job is not None]


def installed(crontab: str, line: str, config: str) -> str:
    """Return the crontab with `line` in place of what ticked this configuration before; all else byte for byte."""
    lines = _lines(crontab)
    ours = {job.number - 1 for job in jobs(crontab) if job.ticks(config)}
    if not ours:
        return _text([*lines, line])
    first = min(ours)
    return _text([line if number == first else old for number, old in enumerate(lines) if number not in ours - {first}])


def removed(crontab: str, config: str) -> str:
    """Return the crontab without the lines that tick this configuration."""
    ours = {job.number - 1 for job in jobs(crontab) if job.ticks(config)}
    return _text([line for number, line in enumerate(_lines(crontab)) if number not in ours]) if ours else crontab


def _lines(crontab: str) -> list[str]:
    lines = crontab.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _text(lines: Sequence[str]) -> str:
    """Return lines as a crontab, with the final newline without which cron refuses it."""
    return "".join(f"{line}\n" for line in lines)


def _job(number: int, line: str) -> Job | None:
    schedule = _SCHEDULE.match(line)
    if schedule is None:
        return None
    words = _words(_as_cron_runs(schedule["command"]))
    for place, word in enumerate(words):
        program, rest = _program(words, place, word)
        if program is not None and "tick" in rest:
            return Job(number, program, _config(rest))
    return None


def _as_cron_runs(command: str) -> str:
    """Return what Debian's cron hands to the shell. `_COMMAND` matches any text, if only nothing of it."""
    return _ESCAPED.sub(r"\1", _COMMAND.match(command)[0])  # type: ignore[index]


def _program(words: Sequence[str], place: int, word: str) -> tuple[str | None, Sequence[str]]:
    if word == "-m" and words[place + 1 : place + 2] == ["cronq"] and place:
        return words[place - 1], words[place + 2 :]
    if os.path.basename(word) == "cronq" and words[place - 1 : place] != ["-m"]:
        return word, words[place + 1 :]
    return None, ()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a stray quote: cron would run it all the same, and sh complain
        return command.split()


def _config(words: Sequence[str]) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--config":
            return following or None
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return None
