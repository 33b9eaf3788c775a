"""The check of dependencies finds what is there to be found, in both forms of database."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from tests.reliability import dependencies

if TYPE_CHECKING:
    from pathlib import Path

PSUTIL = Version(metadata.version("psutil"))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "insecure.json"


@pytest.mark.parametrize(
    ("hole", "code"),
    [
        (f"<={PSUTIL}", 1),
        (f"<{PSUTIL}", 0),
        ({"id": "pyup.io-1", "cve": "CVE-2019-18874", "specs": ["<1", f"=={PSUTIL}"]}, 1),
        ({"id": "pyup.io-1", "cve": None, "specs": ["<1"]}, 0),
    ],
)
def test_a_version_with_a_hole_ends_the_check_with_1(database: Path, hole: object, code: int) -> None:
    database.write_text(json.dumps({"$meta": {}, "psutil": [hole], "not-installed": ["<=nonsense"]}))

    assert dependencies.main([str(database)]) == code


def test_what_cronq_needs_is_found_down_to_the_last() -> None:
    found = dependencies.installed()

    assert {"click", "psutil", "msgspec", "tabulate", "sentry-sdk"} <= found.keys()
    assert "cronq-toolkit" not in found


def test_the_oldest_versions_allowed_are_those_of_what_everybody_installs() -> None:
    names = [name for name, _ in dependencies.oldest_allowed()]

    assert {"filelock", "click"} <= set(names)
    assert "flask" not in names


@pytest.mark.parametrize(
    ("events", "inside", "outside"),
    [
        ([{"introduced": "0"}, {"fixed": "2"}], ["1", "1.9"], ["2"]),
        ([{"introduced": "1"}, {"last_affected": "2"}], ["1", "2"], ["0.9", "2.1"]),
        ([{"introduced": "0"}, {"fixed": "1"}, {"introduced": "3"}], ["0.5", "3"], ["1", "2.9"]),
    ],
)
def test_events_of_an_advisory_are_ranges(events: list[dict[str, str]], inside: list[str], outside: list[str]) -> None:
    advisory = dependencies.Advisory("psutil", "PYSEC-1", ranges=tuple(dependencies._ranges(events)))

    assert all(advisory.is_about(Version(one)) for one in inside)
    assert not any(advisory.is_about(Version(one)) for one in outside)
