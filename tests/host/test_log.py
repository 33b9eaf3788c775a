from __future__ import annotations

import os
import re
import threading

import pytest

from cronq.host.event_words import words_for
from cronq.host.log import EventLog
from tests.making import message
from tests.processes import open_descriptors, says


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "cronq.log")


def lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def test_a_line_tells_when_who_and_what(path):
    EventLog(path, "tick")("spawned", {"target": "high"})
    (line,) = lines(path)
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ tick\[{os.getpid()}\] started a consumer for high", line)


def test_events_without_words_are_not_written(path):
    EventLog(path, "tick")("submitted", {})
    assert not os.path.exists(path)


def test_a_tick_s_end_has_no_words_and_none_are_imported_to_learn_that(path, python):
    assert words_for("ticked", {"plan": None}) is None
    code = f"import sys; from cronq.host.log import EventLog; EventLog({path!r}, 'tick')('ticked', {{}}); "
    assert says(python(code + "print('cronq.host.event_words' in sys.modules)")) == "False"


def test_control_characters_of_an_error_do_not_reach_the_file(path):
    error = ValueError("a\x1b[31mred\x07\r\n2026-01-01T00:00:00Z tick[1] forged \u2028\u202e \x00 \x9b31m")
    EventLog(path, "consumer")("failed", {"message": message(), "error": error})
    with open(path, "rb") as file:
        written = file.read().decode()
    assert written.count("\n") == 1
    assert written.endswith("\n")
    assert not [character for character in written[:-1] if not character.isprintable()]


def test_a_very_long_error_is_cut(path):
    EventLog(path, "consumer")("failed", {"message": message(), "error": "x" * 1_000_000})
    assert os.path.getsize(path) < 3000


def test_text_that_no_encoding_knows_is_written_somehow(path):
    EventLog(path, "consumer")("failed", {"message": message(), "error": "\ud800 and more"})
    assert "and more" in lines(path)[0]


def test_a_full_disk_does_not_stop_the_work(capsys):
    EventLog("/dev/full", "tick")("spawned", {"target": "high"})
    assert capsys.readouterr().err == ""  # or cron would send a mail every minute


def test_nor_does_a_log_that_cannot_be_written_where_nobody_can_be_told(python):
    """As on a disk that has become read-only, where the output log is as well."""
    code = """
        from cronq import events
        from cronq.host.log import EventLog
        events.listeners.append(EventLog("/nowhere/cronq.log", "tick"))
        os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
        events.emit("spawned", target="high")
        say("went on")
    """
    assert says(python(code)) == "went on"


def test_a_missing_folder_does_not_stop_the_work(tmp_path, capsys):
    EventLog(str(tmp_path / "gone" / "cronq.log"), "tick")("spawned", {"target": "high"})
    assert "No such file" in capsys.readouterr().err


def test_a_log_is_private_and_follows_no_link(path, tmp_path, capsys):
    os.umask(0)
    EventLog(path, "tick")("spawned", {"target": "high"})
    assert os.stat(path).st_mode & 0o777 == 0o600
    link = tmp_path / "link.log"
    link.symlink_to(path)
    EventLog(str(link), "tick")("spawned", {"target": "low"})
    assert len(lines(path)) == 1


def test_lines_of_many_writers_do_not_mix(path):
    def write(number):
        log = EventLog(path, f"writer{number}")
        for _ in range(50):
            log("spawned", {"target": "x" * 500})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = lines(path)
    assert len(written) == 200
    assert all(line.endswith("started a consumer for " + "x" * 500) for line in written)


def test_nothing_is_left_open(path):
    log = EventLog(path, "tick")
    before = open_descriptors()
    log("spawned", {"target": "high"})
    assert open_descriptors() == before
