"""The crontab line that ticks, and finding such lines in a crontab. Pure: text in, text out."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from cronq.cli.shell_line import commands_of, runs_nothing_by_itself, substitutes, words_of
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
    """A crontab line that calls `cronq tick`: the program as written, and the --config it names, if any.

    `is_alone`: it runs nothing else, so that nothing is lost with it.
    """

    number: int
    program: str
    config: str | None
    is_alone: bool = True

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
    return [job for number, line in enumerate(crontab.split("\n"), 1) for job in _jobs(number, line)]


def installed(crontab: str, line: str, config: str) -> str:
    """Return the crontab with `line` in place of what ticked this configuration before; all else byte for byte."""
    lines = _lines(crontab)
    ours = _replaceable(crontab, config)
    if not ours:
        return _text([*lines, line])
    first = min(ours)
    return _text([line if number == first else old for number, old in enumerate(lines) if number not in ours - {first}])


def removed(crontab: str, config: str) -> str:
    """Return the crontab without the lines that tick this configuration and do nothing else."""
    ours = _replaceable(crontab, config)
    return _text([line for number, line in enumerate(_lines(crontab)) if number not in ours]) if ours else crontab


def shared(crontab: str, config: str) -> list[int]:
    """Return the numbers of the lines that tick this configuration and run something else as well: left alone."""
    return [job.number for job in jobs(crontab) if job.ticks(config) and not job.is_alone]


def _replaceable(crontab: str, config: str) -> set[int]:
    return {job.number - 1 for job in jobs(crontab) if job.ticks(config) and job.is_alone}


def _lines(crontab: str) -> list[str]:
    lines = crontab.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _text(lines: Sequence[str]) -> str:
    """Return lines as a crontab, with the final newline without which cron refuses it."""
    return "".join(f"{line}\n" for line in lines)


def _jobs(number: int, line: str) -> list[Job]:
    """Return what a line ticks; each configuration once."""
    schedule = _SCHEDULE.match(line)
    if schedule is None:
        return []
    commands = commands_of(_as_cron_runs(schedule["command"]))
    calls = [_call(words_of(command)) for command in commands]
    found = {call.config: call for call in calls if call is not None}
    is_alone = len(found) == 1 and all(
        not substitutes(command) and (runs_nothing_by_itself(words_of(command)) if call is None else call.is_plain)
        for command, call in zip(commands, calls, strict=True)
    )
    return [Job(number, call.program, call.config, is_alone) for call in found.values()]


def _as_cron_runs(command: str) -> str:
    """Return what Debian's cron hands to the shell. `_COMMAND` matches any text, if only nothing of it."""
    return _ESCAPED.sub(r"\1", _COMMAND.match(command)[0])  # type: ignore[index]


class _Call(NamedTuple):
    """A call of `cronq tick`. `is_plain`: what stands before it only says how it is run."""

    program: str
    config: str | None
    is_plain: bool


def _call(words: Sequence[str]) -> _Call | None:
    for place, word in enumerate(words):
        if word == "-m" and words[place + 1 : place + 2] == ["cronq"] and place:
            before, program, rest = words[: place - 1], words[place - 1], words[place + 2 :]
        elif os.path.basename(word) == "cronq" and words[place - 1 : place] != ["-m"]:
            before, program, rest = words[:place], word, words[place + 1 :]
        else:
            continue
        if _subcommand(rest) == "tick":
            return _Call(program, _config(rest), not before or runs_nothing_by_itself(before))
    return None


def _subcommand(words: Sequence[str]) -> str | None:
    is_value = False
    for word in words:
        if not is_value and not word.startswith("-"):
            return word
        is_value = word == "--config"
    return None


def _config(words: Sequence[str]) -> str | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--config":
            return following or None
        if word.startswith("--config="):
            return word.removeprefix("--config=")
    return None
