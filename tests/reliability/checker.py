"""What is true of a project after a kill, from its database and what its tasks wrote: no code of cronq is asked."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

AT_MOST_ONCE = "once"


class Verdict(NamedTuple):
    """Labels of messages that were lost, run again, or run by two at once; and everything else that is wrong."""

    lost: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    overlapping: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    def faults(self, kills: int) -> list[str]:
        """Say what breaks a promise, given so many kills: each may repeat one message once."""
        found = list(self.wrong)
        if self.lost:
            found.append(f"lost: {', '.join(self.lost)}")
        if self.overlapping:
            found.append(f"run by two at once: {', '.join(self.overlapping)}")
        if len(self.repeated) > kills:
            found.append(f"{kills} kills repeated {', '.join(self.repeated)}")
        if AT_MOST_ONCE in self.repeated:
            found.append("ack_first was run twice")
        return found


def unsettled(home: Path) -> list[str]:
    """Return the labels of messages that wait or are reserved."""
    return [label for label, state in _messages(home).items() if state not in {"done", "failed"}]


def check(home: Path) -> Verdict:
    """Judge a project in which nothing runs any more."""
    returned = _lines(home / "returned")
    stored = _messages(home)
    ran = [line.split() for line in _lines(home / "ran")]
    ended = {label for verb, label, _ in ran if verb == "end"}
    begun = Counter(label for verb, label, _ in ran if verb == "begin")
    failed = Counter(label for verb, label, _ in ran if verb == "fail")
    is_kept = {label for label, state in stored.items() if state in {"done", "failed"}}
    return Verdict(
        lost=tuple(label for label in returned if label not in ended | is_kept and label != AT_MOST_ONCE),
        repeated=tuple(label for label in begun for _ in range(begun[label] - failed[label] - 1)),
        overlapping=tuple(label for verb, label, _ in ran if verb == "overlap"),
        wrong=(*_of_database(home, ended, stored), *_of_files(home)),
    )


def _of_database(home: Path, ended: set[str], stored: dict[str, str]) -> list[str]:
    found = []
    with closing(_open(home)) as connection:
        if (answer := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            found.append(f"integrity_check: {answer}")
        if holders := connection.execute("SELECT holder FROM messages WHERE holder IS NOT NULL").fetchall():
            found.append(f"still held by {holders}")
    if "kept" in ended and stored.get("kept") != "done":
        found.append(f"the result of kept is not kept: {stored.get('kept')}")
    if failed := [label for label, state in stored.items() if state == "failed"]:
        found.append(f"in the failure queue: {failed}")
    if left := [label for label, state in stored.items() if state not in {"done", "failed"}]:
        found.append(f"not done: {left}")
    return found


def _of_files(home: Path) -> list[str]:
    state = home / ".cronq"
    found = [f"{path} has stayed" for path in state.rglob("*.new") if path.exists()]
    found += [f"{path} has mode {path.stat().st_mode & 0o777:o}" for path in state.rglob("*") if _is_open(path)]
    for name in ("output.log", "cronq.log"):
        path = state / "log" / name
        if path.exists() and "Traceback" in (text := path.read_text(errors="replace")):
            found.append(f"{path}: {text[-2000:]}")
    return found


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:  # it was on its way to another name when it was listed
        return False


def _messages(home: Path) -> dict[str, str]:
    """Return the state of every message by its label."""
    with closing(_open(home)) as connection:
        rows = connection.execute("SELECT body, state FROM messages").fetchall()
    return {json.loads(body)["label"]: state for body, state in rows}


def _open(home: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{home}/.cronq/queue.db?mode=rw", uri=True, timeout=120)
    connection.execute("PRAGMA query_only = 1")
    return connection


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
