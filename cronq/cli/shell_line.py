"""The commands in one line of /bin/sh, as far as a crontab needs them: which there are, and which only set the stage.

In doubt a command counts as one that does something: it is somebody's, and must not be lost.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMENT = r"(?:(?<=[\s;&|()])|^)#.*"
_QUOTED = r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\."
_REDIRECTION = r"[<>]&[\d-]|&>"
_NO_OPERATOR = re.compile(f"(?P<comment>{_COMMENT})|(?P<quoted>{_QUOTED})|{_REDIRECTION}", re.DOTALL)
_BETWEEN = re.compile(r"[;&|()\n]+")
_LITERAL = re.compile(r"'[^']*'|\\.|(\"(?:\\.|[^\"\\])*\")", re.DOTALL)
_SUBSTITUTION = re.compile(r"`|\$\(")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")

_HOW = "env flock nice ionice chrt taskset timeout nohup setsid chronic sudo time exec command stdbuf systemd-cat"
_BEFORE = "cd pushd export unset set umask ulimit sleep test [ [[ : true false exit . source renice"
_IDLE = frozenset(f"{_HOW} {_BEFORE}".split())


def commands_of(line: str) -> list[str]:
    """Return the commands of a line as they are written, without its comment. Quoted operators are none."""
    plain = _NO_OPERATOR.sub(_blank, line)
    begins = [0, *(found.end() for found in _BETWEEN.finditer(plain))]
    ends = [*(found.start() for found in _BETWEEN.finditer(plain)), len(plain.rstrip("\0"))]
    return [line[begin:end] for begin, end in zip(begins, ends, strict=True) if line[begin:end].strip()]


def words_of(command: str) -> list[str]:
    """Return the words of a command, split at its blanks where a quote is left open: sh would refuse it."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def runs_nothing_by_itself(words: Sequence[str]) -> bool:
    """Tell whether these words only say where, when or how something else is run: `cd /srv`, `flock -n FILE`."""
    names = [word for word in words if not _ASSIGNMENT.match(word)]
    return not names or os.path.basename(names[0]) in _IDLE


def substitutes(command: str) -> bool:
    """Tell whether a command runs others for its words: `$(...)` or backquotes, also inside double quotes."""
    return bool(_SUBSTITUTION.search(_LITERAL.sub(lambda found: found[1] or "", command)))


def _blank(found: re.Match[str]) -> str:
    """Hide what only looks like an operator."""
    return ("\0" if found["comment"] is not None else "x") * len(found[0])
