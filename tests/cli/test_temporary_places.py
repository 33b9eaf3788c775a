"""A project whose state directory lies where temporary files are kept: tests may work there, cron may not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Shell


@pytest.fixture
def directory() -> Iterator[Path]:
    """As pytest's `tmp_path`, and below /tmp wherever that is."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def temporary(shop: Shell, directory: Path) -> Shell:
    shop.environ["CRONQ_STATE_DIR"] = str(directory / "state")
    return shop


def test_messages_are_enqueued_and_run_there(temporary: Shell, directory: Path) -> None:
    temporary.says("enqueue", "shop.tasks.add", "1")
    assert temporary.says("drain") == "ran 1 message, 0 failed, 0 left in the queues\n"
    assert (directory / "state" / "queue.db").exists()
    assert not (temporary.home / ".cronq").exists()


def test_a_consumer_works_there(temporary: Shell) -> None:
    temporary.says("enqueue", "shop.tasks.add", "1")
    temporary.says("consume", "all", "--stop-when-empty")
    assert "0 failed" in temporary.says("drain")


def test_check_warns_of_it(temporary: Shell, directory: Path) -> None:
    text = temporary.says("check")
    assert f"warning: state_dir = '{directory}/state': lies in /tmp, which is emptied by restarts and cleaners" in text
    assert "configuration is fine" in text


@pytest.mark.parametrize("words", [("tick",), ("tick", "--run"), ("tick", "--wait"), ("tick", "--dry-run")])
def test_a_tick_refuses_it_and_makes_nothing(temporary: Shell, directory: Path, words: tuple[str, ...]) -> None:
    code = 2 if "--dry-run" in words else 1  # what cron calls has one for all that it mails
    assert "not for cron: set another state_dir" in temporary.says(*words, code=code)
    assert not (directory / "state").exists()


def test_no_line_is_put_into_the_crontab(temporary: Shell) -> None:
    assert "not for cron: set another state_dir" in temporary.says("crontab", "install", code=2)
    assert not temporary.table.exists()


def test_a_line_is_still_printed_and_removed(temporary: Shell) -> None:
    assert "cronq" in temporary.says("crontab", "print")
    assert "no line of the crontab" in temporary.says("crontab", "remove")
