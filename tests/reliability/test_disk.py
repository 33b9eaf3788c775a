"""The disk of the power cuts: what a sync keeps when others write meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.reliability.disk import Disk
from tests.reliability.recording import Change, changes_of

if TYPE_CHECKING:
    from pathlib import Path

LOG = "/run/log"


def left(changes: list[Change]) -> bytes:
    """Return what a cut leaves of the file that drops all that is not synced."""
    disk = Disk("/run")
    for change in [Change("make", LOG), Change("sync", "/run", other="0"), *changes]:
        disk.apply(change)
    return disk.image(lambda number, piece: False)[1][LOG]


def test_a_sync_keeps_what_was_written_before() -> None:
    assert left([Change("write", LOG, 0, b"a"), Change("sync", LOG, other="1")]) == b"a"


def test_what_is_written_while_a_sync_goes_on_is_no_part_of_it() -> None:
    changes = [
        Change("write", LOG, 0, b"a"),
        Change("begin", LOG, other="1"),
        Change("write", LOG, 1, b"b"),
        Change("sync", LOG, other="1"),
    ]
    assert left(changes) == b"a"
    assert left([*changes, Change("sync", LOG, other="2")]) == b"ab"


def test_each_process_has_its_own_sync() -> None:
    changes = [
        Change("begin", LOG, other="1"),
        Change("write", LOG, 0, b"a"),
        Change("begin", LOG, other="2"),
        Change("sync", LOG, other="1"),
    ]
    assert left(changes) == b""
    assert left([*changes, Change("sync", LOG, other="2")]) == b"a"


def test_a_sync_that_others_came_into_is_recorded_from_its_begin(tmp_path: Path) -> None:
    log = tmp_path / "trace"
    log.write_text(
        "7 fdatasync(5</run/log> <unfinished ...>\n"
        '8 pwrite64(6</run/log>, "\\x61", 1, 0) = 1\n'
        "7 <... fdatasync resumed>) = 0\n"
        "8 fdatasync(6</run/log>) = 0\n"
    )
    assert [(one.verb, one.other) for one in changes_of("/run", log)] == [
        ("begin", "7"),
        ("write", ""),
        ("sync", "7"),
        ("sync", "8"),
    ]
