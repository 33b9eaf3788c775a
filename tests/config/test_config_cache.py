"""What a tick remembers of the configuration is used only while it is what reading it again would give."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from cronq.config import load
from cronq.config.cache import SETTLED_S, load_quickly
from cronq.config.template import template
from cronq.errors import ConfigError
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

LATER = 4e9


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cronq.toml"
    path.write_text(WHOLE)
    os.utime(path, (1, 1))  # so that what is written next has another time, however coarse the kernel's clock is
    return path


WHOLE = """
max_processes = 3
[[consumers]]
name = "all"
queues = ["high", "mail"]
autoscale = { max = 2 }
[queues.mail]
preset = "slow"
retry = { delay = "3s" }
[presets.slow]
timeout = "1h"
[routing]
"shop.messages.CreateZip" = "mail"
[inline]
mode = "off"
[schedule.nightly]
task = "shop.tasks.clean"
cron = "30 2 * * *"
args = { days = 30, names = ["a", { b = 1 }], deep = { x = [1, 2] } }
[webhooks.ops]
url = "https://example.org/cronq"
queues = ["mail"]
"""


def remembered(file):
    (kept,) = (file.parent / "__pycache__").iterdir()
    return kept


def read_again(monkeypatch) -> list[str]:
    """Return the list in which every real reading of the file leaves its path."""
    seen: list[str] = []

    def counting(path, environ):
        seen.append(path)
        return load(path, environ)

    monkeypatch.setattr("cronq.config.cache._load", counting)
    return seen


def test_what_is_remembered_is_what_was_read(file, monkeypatch):
    first = load_quickly(str(file), {}, LATER)
    seen = read_again(monkeypatch)
    second = load_quickly(str(file), {}, LATER)
    assert (first, second, seen) == (load(file, {}), first, [])
    assert type(second.schedules[0].args) is type(first.schedules[0].args)


def test_the_template_is_remembered_too(file, monkeypatch):
    file.write_text(template(app=None))
    load_quickly(str(file), {}, LATER)
    seen = read_again(monkeypatch)
    assert (load_quickly(str(file), {}, LATER), seen) == (load(file, {}), [])


def test_a_changed_file_is_read_again(file):
    load_quickly(str(file), {}, LATER)
    file.write_text(WHOLE.replace("= 3", "= 5"))
    assert load_quickly(str(file), {}, LATER).max_processes == 5


def test_a_file_of_the_same_size_and_time_is_read_again(file: Path):
    load_quickly(str(file), {}, LATER)
    before = file.stat()

    def is_written() -> bool:
        file.write_text(WHOLE.replace("= 3", "= 5"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        return file.stat().st_ctime_ns != before.st_ctime_ns

    wait_until(is_written)
    assert load_quickly(str(file), {}, LATER).max_processes == 5


def test_other_variables_are_another_configuration(file):
    load_quickly(str(file), {}, LATER)
    assert load_quickly(str(file), {"CRONQ_MAX_PROCESSES": "9"}, LATER).max_processes == 9


def test_what_variables_say_is_not_written_down(file):
    load_quickly(str(file), {"CRONQ_WEBHOOKS_OPS_URL": "https://example.org/token"}, LATER)
    assert not (file.parent / "__pycache__").exists()


def test_the_name_of_an_environment_is_no_secret(file):
    load_quickly(str(file), {"CRONQ_CONFIG": str(file), "HOME": "/home/ada"}, LATER)
    assert remembered(file).exists()


def test_a_consumer_that_is_told_where_the_file_is_remembers_the_same_as_the_tick_that_found_it(file, monkeypatch):
    load_quickly(str(file), {}, LATER)
    seen = read_again(monkeypatch)
    load_quickly(None, {"CRONQ_CONFIG": str(file)}, LATER)
    assert seen == []


def test_a_file_that_was_just_written_is_not_remembered(file):
    load_quickly(str(file), {}, file.stat().st_ctime + SETTLED_S)
    assert not (file.parent / "__pycache__").exists()


def test_a_mistake_is_told_every_time(file):
    load_quickly(str(file), {}, LATER)
    file.write_text("max_processes = 0")
    for _ in range(2):
        with pytest.raises(ConfigError, match="max_processes"):
            load_quickly(str(file), {}, LATER)


@pytest.mark.parametrize("content", [b"", b"\x00", b"[", b"i\x01\x00\x00\x00"])
def test_what_was_cut_short_is_not_used(file, content):
    load_quickly(str(file), {}, LATER)
    remembered(file).write_bytes(content)
    assert load_quickly(str(file), {}, LATER) == load(file, {})


def test_what_others_may_write_is_not_read(file, monkeypatch):
    load_quickly(str(file), {}, LATER)
    remembered(file).chmod(0o622)
    seen = read_again(monkeypatch)
    load_quickly(str(file), {}, LATER)
    assert len(seen) == 1


def test_it_is_nobody_elses_to_read(file):
    load_quickly(str(file), {}, LATER)
    assert remembered(file).stat().st_mode & 0o777 == 0o600


def test_a_link_in_its_place_is_not_followed(file, tmp_path):
    load_quickly(str(file), {}, LATER)
    target = tmp_path / "target"
    remembered(file).rename(target)
    (file.parent / "__pycache__" / target.name).unlink(missing_ok=True)
    os.symlink(target, file.parent / "__pycache__" / f"cronq.toml.{sys.implementation.cache_tag}")
    assert load_quickly(str(file), {}, LATER) == load(file, {})
    assert not remembered(file).is_symlink()


def test_where_nothing_can_be_kept_the_file_is_read(file):
    (file.parent / "__pycache__").write_text("in the way")
    assert load_quickly(str(file), {}, LATER) == load_quickly(str(file), {}, LATER) == load(file, {})


def test_without_a_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_quickly(None, {}, LATER) == load(None, {})
