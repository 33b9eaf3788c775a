"""Releases in numbered directories: what waits in the state of another one is found and named."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def releases(shop: Shell, home: Path) -> tuple[Shell, Shell]:
    """The shop as two releases beside each other, the older one with a message that waits."""
    both = []
    for name in ("2026-11-01", "2026-12-01"):
        both.append(Shell(copied(shop, home / "releases" / name)))
    older, newer = both
    older.says("enqueue", "shop.tasks.add", "1")
    return older, newer


def test_check_names_what_waits_in_an_older_release(releases: tuple[Shell, Shell]) -> None:
    older, newer = releases
    (told,) = [one for one in newer.json("check")["warnings"] if "another release" in one]
    assert f"{older.home}/.cronq/queue.db holds 1 message of another release" in told
    assert f"cronq drain --config {older.home}/cronq.toml" in told


def test_status_names_it_and_exits_with_1(releases: tuple[Shell, Shell]) -> None:
    older, newer = releases
    done = newer.run("status")
    assert done.returncode == 1
    assert str(older.home) in done.stdout.replace("\n", " ")


def test_nothing_is_said_when_nothing_waits_there_or_all_releases_share_one_place(
    releases: tuple[Shell, Shell], home: Path
) -> None:
    older, newer = releases
    for release in (older, newer):
        release.config.write_text(f'state_dir = "{home}/state"\n' + release.config.read_text())
    assert not [one for one in newer.json("check")["warnings"] if "another release" in one]


def test_the_file_of_the_other_release_is_only_read(releases: tuple[Shell, Shell]) -> None:
    older, newer = releases
    before = {path.name for path in (older.home / ".cronq").iterdir()}
    newer.says("check")
    assert {path.name for path in (older.home / ".cronq").iterdir()} <= before | {"queue.db-wal", "queue.db-shm"}
    older.says("drain")
    assert not [one for one in newer.json("check")["warnings"] if "another release" in one]


def test_what_is_no_queue_beside_the_project_is_passed_over(releases: tuple[Shell, Shell], home: Path) -> None:
    _, newer = releases
    broken = home / "releases" / "0" / ".cronq"
    broken.mkdir(parents=True)
    (broken / "queue.db").write_text("no database")
    assert len([one for one in newer.json("check")["warnings"] if "another release" in one]) == 1


@pytest.mark.parametrize(
    ("parent", "one", "other", "is_said"),
    [
        ("site", "20261101", "20261201", True),
        ("site", "shop-1.9", "shop-1.10", True),
        ("releases", "a1b2c3d", "e4f5", True),
        ("ada", "shop", "blog", False),
        ("ada", "shop2", "blog3", False),
    ],
)
def test_projects_beside_each_other_are_not_taken_for_releases(
    shop: Shell, home: Path, parent: str, one: str, other: str, is_said: bool
) -> None:
    older, newer = (Shell(copied(shop, home / parent / name)) for name in (one, other))
    older.says("enqueue", "shop.tasks.add", "1")
    assert bool([one for one in newer.json("check")["warnings"] if "another release" in one]) is is_said


def copied(shop: Shell, there: Path) -> Path:
    there.mkdir(parents=True)
    shutil.copytree(shop.home / "shop", there / "shop")
    shutil.copy(shop.config, there)
    return there
