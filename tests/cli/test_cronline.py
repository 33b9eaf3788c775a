from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cronq.cli.cronline import installed, jobs, line_for, removed, shared
from cronq.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = "/home/ada/shop/cronq.toml"
LINE = f"* * * * * /home/ada/venv/bin/cronq tick --config {CONFIG}"
OTHERS = (
    "# my jobs\n\nMAILTO=ada@example.org\n"
    f"#* * * * * /home/ada/venv/bin/cronq tick --config {CONFIG}\n"
    "@daily /home/ada/backup.sh  \n"
    "* * * * * /home/ada/venv/bin/cronq tick --config /home/ada/blog/cronq.toml\n"
    f"0 3 * * * /home/ada/venv/bin/cronq consume --config {CONFIG}\n"
    "5 4 * * * echo tick; echo caf\udce9 \\% % input\n"
)
words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["C", "Z"]), min_size=1)


def as_run_by(cron: str, line: str) -> list[str]:
    """Return what /bin/sh makes of a line when a cron has taken the schedule and its backslashes away."""
    command = "".join(as_read_by(cron, line.split(" ", 5)[5]))
    done = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def as_read_by(cron: str, command: str) -> Iterator[str]:
    """Yield the characters of a command as a cron hands them to the shell (do_command.c of both)."""
    left = iter(command)
    for one in left:
        if one == "%":
            return
        if one != "\\":
            yield one
            continue
        escaped = next(left, "")
        goes_away = escaped == "%" or (escaped == "\\" and cron == "Debian's")
        yield escaped if goes_away else one + escaped


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\b", r"a\b"),
        (r"a\\b", r"a\b"),
        (r"a\%b", "a%b"),
        (r"a\\\%b", r"a\%b"),
        (r"a\\\\b", r"a\\b"),
    ],
)
def test_the_reading_of_these_tests_is_that_of_a_real_cron(written: str, read: str) -> None:
    """Seen in the output of `printf` under cron 3.0pl1."""
    assert "".join(as_read_by("Debian's", written)) == read


@pytest.mark.parametrize("cron", ["Debian's", "cronie"])
@given(command=st.lists(words, min_size=1, max_size=4))
@example(command=[r"/a\%b/cronq", r"100%\\", r"\\\a\b"])
def test_cron_and_its_shell_see_the_very_words_of_the_command(cron: str, command: list[str]) -> None:
    assert as_run_by(cron, line_for(command)) == command


@given(words, words)
def test_a_line_is_recognised_again_whatever_its_paths(program: str, config: str) -> None:
    line = line_for([f"/{program}/cronq", "tick", "--config", f"/{config}"])
    assert [(job.program, job.config) for job in jobs(line)] == [(f"/{program}/cronq", f"/{config}")]


@pytest.mark.parametrize(("every", "schedule"), [(1, "* * * * * "), (5, "*/5 * * * * ")])
def test_the_schedule_is_every_so_many_minutes(every: int, schedule: str) -> None:
    assert line_for(["cronq"], every) == f"{schedule}cronq"


def test_a_path_that_no_crontab_can_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="plainer"):
        line_for(["/home/a\nb/cronq"])


@pytest.mark.parametrize(
    "command",
    [
        f"cd /home/ada && cronq tick --config={CONFIG} >/dev/null 2>&1",
        f"/home/ada/venv/bin/python -m cronq --config {CONFIG} tick",
        f"flock -n /tmp/lock /usr/bin/env A=b cronq tick --config '{CONFIG}'",
        f"cronq tick --config {CONFIG} % input",
        f"cronq tick --config {CONFIG} # don't",
    ],
)
def test_hand_written_lines_are_recognised(command: str) -> None:
    assert [job.ticks(CONFIG) for job in jobs(f"@hourly {command}\n")] == [True]


@pytest.mark.parametrize(
    "line",
    [
        f"# * * * * * cronq tick --config {CONFIG}",
        f"* * * * * cronq consume --config {CONFIG}",
        f"NOTE=a b c d e cronq tick --config {CONFIG}",
        "* * * * * tick --config cronq",
    ],
)
def test_other_lines_are_not_taken_for_ticks(line: str) -> None:
    assert jobs(line) == []


def test_install_adds_the_line_and_leaves_all_others_byte_for_byte() -> None:
    assert installed(OTHERS, LINE, CONFIG) == f"{OTHERS}{LINE}\n"


def test_install_into_nothing_ends_with_a_newline() -> None:
    assert installed("", LINE, CONFIG) == f"{LINE}\n"


def test_install_mends_a_missing_final_newline() -> None:
    assert installed("@daily x", LINE, CONFIG) == f"@daily x\n{LINE}\n"


def test_install_twice_changes_nothing_more() -> None:
    once = installed(OTHERS, LINE, CONFIG)
    assert installed(once, LINE, CONFIG) == once


def test_install_replaces_the_older_line_where_it_stands() -> None:
    old = f"*/5 * * * * python -m cronq tick --config {CONFIG}\n"
    assert installed(f"{old}{OTHERS}{old}", LINE, CONFIG) == f"{LINE}\n{OTHERS}"


def test_remove_takes_only_the_line_of_this_configuration() -> None:
    assert removed(installed(OTHERS, LINE, CONFIG), CONFIG) == OTHERS


def test_remove_without_a_line_changes_nothing() -> None:
    assert removed("@daily x", CONFIG) == "@daily x"


TICK = f"/home/ada/venv/bin/cronq tick --config {CONFIG}"


@pytest.mark.parametrize(
    "command",
    [
        f"/usr/bin/php /home/ada/artisan schedule:run; {TICK}",
        f"{TICK}; /home/ada/backup.sh",
        f"{TICK};/home/ada/backup.sh",
        f"/home/ada/backup.sh && {TICK}",
        f"{TICK} || mail -s 'no tick' ada",
        f"{TICK} 2>&1 | logger -t cronq",
        f"/home/ada/daemon & {TICK}",
        f"(/home/ada/backup.sh; {TICK})",
        f"cd /srv && ./backup.sh && {TICK}",
        f'sleep "$(/home/ada/pause)"; {TICK}',
        f"sleep `/home/ada/pause`; {TICK}",
        f"/home/ada/monitor --exec {TICK}",
        f"{TICK}; /home/ada/venv/bin/cronq tick --config /home/ada/blog/cronq.toml",
        f"{TICK}; /home/ada/venv/bin/cronq consume --config {CONFIG}",
    ],
)
def test_a_line_that_runs_something_else_too_is_left_byte_for_byte(command: str) -> None:
    before = f"@daily x\n* * * * * {command}\n"
    assert shared(before, CONFIG) == [2]
    assert removed(before, CONFIG) == before
    once = installed(before, LINE, CONFIG)
    assert once == f"{before}{LINE}\n"
    assert installed(once, LINE, CONFIG) == once


@pytest.mark.parametrize(
    "command",
    [
        f"cd /home/ada/shop && . ./env; {TICK} >/dev/null 2>&1",
        f"[ -x /home/ada/venv/bin/cronq ] || exit 0; nice -n 10 flock -n /tmp/lock {TICK} &",
        f"{TICK}; sleep 30; {TICK}",
        f"cd '/srv/a;b & c' && {TICK} &>/dev/null",
        f"A=b {TICK} || true",
        f"{TICK} # and; nothing | else",
        f"{TICK} % /home/ada/backup.sh",
        line_for(["/opt/a;b`c`$(d)/cronq", "tick", "--config", CONFIG]).removeprefix("* * * * * "),
    ],
)
def test_a_line_that_only_ticks_is_replaced_whatever_stands_around_the_tick(command: str) -> None:
    before = f"* * * * * {command}\n"
    assert (shared(before, CONFIG), installed(before, LINE, CONFIG), removed(before, CONFIG)) == ([], f"{LINE}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        f"cronq consume tick --config {CONFIG}",
        f"cronq stop --config {CONFIG} # then cronq tick --config {CONFIG}",
        f"/home/ada/backup.sh # {TICK}",
    ],
)
def test_a_line_that_only_mentions_a_tick_is_none(command: str) -> None:
    assert jobs(f"* * * * * {command}") == []
