"""What others wrote never steers a terminal, begins a line, or turns text around: the bytes printed are looked at."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cronq.host.state_dir import StateDir
from cronq.messages.attempts import Cause
from cronq.messages.ids import new_id
from cronq.messages.message import Fail, Message
from cronq.supervisor import slots
from cronq.supervisor.slots import BROKEN
from cronq.transports.exchange import Want
from cronq.transports.sqlite import SqliteTransport
from tests import forked
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.forked import Ended

pytestmark = pytest.mark.slow

ON_ONE_LINE = "x\x1b]0;owned\x07\x1b[31m\x9b2J\r\u202eleft\x7f\u2066"
HOSTILE = f"{ON_ONE_LINE}\nforged line\x85forged\u2028forged"
OUR_COLOURS = re.compile(rb"\x1b\[(?:0|1|31|33)m")
OUR_BAR = re.compile(rb"\r\x1b\[\?25lmessages [^\n\x07]*\x1b\[\?25h\n")

CONFIG = """
app = "tasks:app"
[[consumers]]
name = "work"
queues = ["normal", "low"]
time_limit = "1s"
autoscale = { min = 1, max = 1 }
[queues.normal]
rate = "1/h"
[inline]
queues = []
[webhooks.ops]
url = "http://127.0.0.1:9/"
tasks = ["shop.charge"]
"""
TASKS = f"""
import os
from cronq import App, Retry
app = App.from_config("cronq.toml")
HOSTILE = {HOSTILE!r}

@app.task(queue="low", unique=HOSTILE + "{{text}}", retry=Retry(max_attempts=1))
def fail(text: str) -> None:
    raise type(HOSTILE.translate(dict.fromkeys([0])), (ValueError,), {{}})(HOSTILE)

@app.task(name="tasks.held", queue="low")
def held(text: str) -> None:
    print(text)

if os.path.exists("broken"):
    raise ValueError(HOSTILE)
"""


class Planted:
    """A project in which everything that others may write holds control characters, down to the directory's name."""

    def __init__(self, base: Path) -> None:
        self.home = base / ON_ONE_LINE
        self.home.mkdir()
        (self.home / "cronq.toml").write_text(CONFIG)
        (self.home / "tasks.py").write_text(TASKS)
        self.state = StateDir(str(self.home / ".cronq"))
        self.state.prepare()
        self.ids = {state: new_id() for state in ("ready", "delayed", "reserved", "failed")}
        self._plant_messages()
        self._plant_schedules()
        self._plant_notes()

    def _message(self, state: str, **fields: Any) -> Message:
        headers = json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False).encode()
        body = json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False).replace("\\u001b", "\x1b").encode()
        known: dict[str, Any] = {"unique_key": f"{state}{HOSTILE}", "running_key": HOSTILE, "max_running": 9, **fields}
        return Message(self.ids[state], HOSTILE, HOSTILE, body, headers, **known)

    def _plant_messages(self) -> None:
        transport = SqliteTransport(f"{self.state.path}/queue.db", "normal")
        transport.pause_task(HOSTILE, paused=True)
        transport.pause_task(HOSTILE, paused=False)
        transport.enqueue([self._message("failed")])
        (taken,) = transport.exchange(f"{HOSTILE}/work.0", [], Want([HOSTILE], 9e9, 1, 1)).messages
        cause = Cause(HOSTILE, HOSTILE, 1.0, 1.0, HOSTILE)
        transport.exchange(f"{HOSTILE}/work.0", [Fail(taken, f"Traceback\n{HOSTILE}", cause)], None)
        transport.enqueue([self._message("reserved")])
        transport.exchange(f"{HOSTILE}/work.0", [], Want([HOSTILE], 9e9, 1, 1))
        transport.enqueue([self._message("ready"), self._message("delayed", available_at=time.time() + 1000)])
        transport.pause_task(HOSTILE, paused=True)
        transport.pause(HOSTILE, paused=True)
        transport.close()

    def _plant_schedules(self) -> None:
        spec = {
            "task": HOSTILE,
            "cron": HOSTILE,
            "written": HOSTILE,
            "tz": HOSTILE,
            "args": {},
            "missed": "once",
            "max_attempts": 3,
        }
        row = ("runtime", HOSTILE, "", "", json.dumps({**spec, "queue": None}), HOSTILE, HOSTILE)
        with sqlite3.connect(f"{self.state.path}/queue.db") as connection:
            names = "source, name, declared, timing, spec, refused, last_message_id"
            connection.execute(f"INSERT INTO schedules ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        connection.close()

    def _plant_notes(self) -> None:
        slot = slots.take(self.state, "work", 1)
        assert slot is not None
        slot.begin([HOSTILE], 0.0)
        slot.leave(HOSTILE, BROKEN)
        stranger = slots.take(self.state, ON_ONE_LINE.replace("/", ""), 1)
        assert stranger is not None
        stranger.begin([HOSTILE], 0.0)
        stranger.leave(HOSTILE, BROKEN)
        with open(f"{self.state.told}", "w", encoding="utf-8") as file:
            file.write(f"{int(time.time())} {int(time.time())} tick\t{HOSTILE}")
        with open(f"{self.state.durations}", "w", encoding="utf-8") as file:
            file.write(HOSTILE)

    def run(self, words: Sequence[str]) -> Ended:
        return forked.run(*(word.format(**self.ids) for word in words), home=self.home, on_terminal=True)


@pytest.fixture
def planted(home: Path) -> Planted:
    return Planted(home)


def is_harmless(printed: bytes) -> bool:
    """Tell whether nothing but text, our colours and line ends is there, and no line that somebody else began."""
    plain = OUR_BAR.sub(b"", OUR_COLOURS.sub(b"", printed)).decode()
    lines = plain.removesuffix("\n").split("\n")
    return all(line.isprintable() and not line.startswith("forged") for line in lines)


SHOWING = (
    ("status",),
    ("queues", "list"),
    ("queues", "show", HOSTILE),
    ("queues", "pause", HOSTILE),
    ("queues", "resume", HOSTILE),
    ("queues", "flush", HOSTILE),
    ("queues", "flush", HOSTILE, "--force"),
    ("queues", "show", "nobody's"),
    ("queues", "setup"),
    ("tasks", "list"),
    ("tasks", "pause", HOSTILE),
    ("tasks", "resume", HOSTILE),
    ("tasks", "pause", f"{HOSTILE}x"),
    ("schedule", "list"),
    ("schedule", "run", HOSTILE),
    ("schedule", "run", "nobody's"),
    ("schedule", "resume", HOSTILE),
    ("messages", "list"),
    ("messages", "show", "{ready}"),
    ("messages", "show", "{delayed}"),
    ("messages", "show", "{reserved}"),
    ("messages", "show", HOSTILE),
    ("messages", "cancel", "{reserved}"),
    ("messages", "stop", "{reserved}"),
    ("failed", "list"),
    ("failed", "show", "{failed}"),
    ("failed", "list", "--task", HOSTILE),
    ("failed", "show", HOSTILE),
    ("failed", "retry", HOSTILE),
    ("check",),
    ("crontab", "print"),
    ("crontab", HOSTILE),
    ("enqueue", HOSTILE, HOSTILE),
    ("enqueue", f"{HOSTILE}x"),
    ("enqueue", HOSTILE, "a=1", "a=1"),
    ("enqueue", HOSTILE, f"{HOSTILE}=1", "--delay", HOSTILE),
    ("enqueue", "tasks.held", "x", "--queue", HOSTILE),
    ("run", f"{HOSTILE}x"),
    ("run", HOSTILE, "a=1", "a=1"),
    ("drain", "--queue", HOSTILE),
    ("drain",),
    ("backup", "copy.db"),
    ("backup", f"{ON_ONE_LINE}/copy.db"),
    ("restore", ON_ONE_LINE),
    ("init",),
    ("init", "--app", HOSTILE),
    ("stop",),
    ("tick", "--dry-run"),
    ("tick", HOSTILE),
    ("tick", "--config", HOSTILE),
    ("consume", HOSTILE),
    ("consume", "work", "--stop-when-empty"),
    ("consume", "--queue", HOSTILE, "--stop-when-empty"),
    (HOSTILE,),
    (f"--{HOSTILE}",),
    ("status", "--config", HOSTILE),
    ("check", "--config", HOSTILE),
)


@pytest.mark.parametrize("words", SHOWING, ids=lambda words: ascii(" ".join(words))[:50])
def test_no_command_hands_it_to_the_terminal(planted: Planted, words: Sequence[str]) -> None:
    ended = planted.run(words)

    assert "Traceback (" not in ended.text, ended.text
    assert is_harmless(ended.printed), ended.printed
    assert ended.code in {0, 1, 2}


BROKEN_PROJECT = (
    ("check",),
    ("tasks",),
    ("schedule",),
    ("enqueue", "x"),
    ("run", "x"),
    ("drain",),
    ("consume", "work"),
    ("init",),
)


@pytest.mark.parametrize("words", [*BROKEN_PROJECT, ("tick", "--run")], ids=" ".join)
def test_no_error_of_the_project_hands_it_to_the_terminal(planted: Planted, words: Sequence[str]) -> None:
    (planted.home / "broken").touch()
    ended = planted.run(words)

    assert is_harmless(ended.printed.replace(b"\nforged line", b"\n forged line")), ended.printed  # lines of an error
    assert ended.code in {0, 1, 2}


WRONG = {
    "a key": f"{json.dumps(HOSTILE)} = 1",
    "a value": f"app = {json.dumps(HOSTILE)}",
    "a table": f"[queues.{json.dumps(HOSTILE)}]",
    "an environment": f"[env.{json.dumps(HOSTILE)}]",
    "a name": f"[[consumers]]\nname = {json.dumps(HOSTILE)}\nqueues = [{json.dumps(HOSTILE)}]",
    "a webhook": f"[webhooks.{json.dumps(HOSTILE)}]\nurl = {json.dumps('http://' + HOSTILE)}",
    "no TOML": f"app = {HOSTILE}",
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("words", [("tick",), ("status",), ("check",), ("consume", "work")], ids=" ".join)
def test_no_complaint_about_a_configuration_hands_it_to_the_terminal(
    planted: Planted, kind: str, words: Sequence[str]
) -> None:
    (planted.home / "cronq.toml").write_text(WRONG[kind].replace("\\u007f", "\x7f"), encoding="utf-8")
    ended = forked.run(*words, home=planted.home, environ={"CRONQ_ENV": HOSTILE}, on_terminal=True)

    assert is_harmless(ended.printed), ended.printed
    assert ended.code == 2


JSON = (
    *(("status",), ("queues", "list"), ("queues", "show", HOSTILE), ("schedule", "list"), ("tasks", "list")),
    *(("messages", "list"), ("messages", "show", "{ready}"), ("failed", "list"), ("failed", "show", "{failed}")),
    *(("check",), ("backup", ON_ONE_LINE)),
)


@pytest.mark.parametrize("words", JSON, ids=lambda words: ascii(" ".join(words))[:50])
def test_json_is_plain_ascii_and_whole(planted: Planted, words: Sequence[str]) -> None:
    ended = planted.run([*words, "--json"])

    assert all(byte in b"\n" or 0x20 <= byte < 0x7F for byte in ended.printed), ended.printed
    assert "\x1b]0;owned" in json.dumps(json.loads(ended.printed), ensure_ascii=False).replace("\\u001b", "\x1b")


def test_the_log_has_lines_of_ours_only(planted: Planted) -> None:
    """Consumers run the hostile task, which fails; one cannot start at all; the tick looks on."""
    planted.run(("tasks", "resume", HOSTILE))
    planted.run(("enqueue", "tasks.fail", HOSTILE))
    planted.run(("drain", "--queue", "low"))
    (planted.home / "broken").touch()
    planted.run(("consume", "work"))
    planted.run(("tick",))
    wait_until(lambda: not any(seen.is_live for seen in slots.survey(planted.state)))

    lines = Path(planted.state.log).read_bytes().decode().removesuffix("\n").split("\n")
    assert len([line for line in lines if "forged" in line]) >= 2
    assert all(line.isprintable() and re.match(r"\d{4}-\d\d-\d\dT[\d:]{8}Z \w", line) for line in lines), lines
    output = Path(planted.state.output).read_bytes() if os.path.exists(planted.state.output) else b""
    assert all(line.isprintable() for line in output.decode().split("\n"))
