from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cronq.config import load
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.config.conftest import Loading, Refusing

STAGING = """
max_processes = 5
[inline]
mode = "spawn"
slice = "2s"
[queues.mail]
timeout = "1m"
[queues.mail_retry]
[presets.slow]
[routing]
"shop.Zip" = "low"
[env.staging]
max_processes = 2
inline.mode = "off"
[env.live]
"""


def value(settings: Any, path: str) -> Any:
    for name in path.split("."):
        settings = settings[name] if isinstance(settings, dict) else getattr(settings, name)
    return settings


def test_env_tables_are_not_used_by_themselves(loaded: Loading) -> None:
    assert loaded(STAGING).max_processes == 5


def test_the_chosen_env_lies_over_the_file(loaded: Loading) -> None:
    assert loaded(STAGING, CRONQ_ENV="staging").max_processes == 2


def test_a_table_of_the_env_replaces_only_its_own_keys(loaded: Loading) -> None:
    inline = loaded(STAGING, CRONQ_ENV="staging").inline
    assert (inline.mode, inline.slice_s) == ("off", 2.0)


def test_a_variable_lies_over_the_chosen_env(loaded: Loading) -> None:
    assert loaded(STAGING, CRONQ_ENV="staging", CRONQ_MAX_PROCESSES="8").max_processes == 8


def test_an_unknown_env_lists_the_known_ones(refused: Refusing, file: Path) -> None:
    assert refused(STAGING, CRONQ_ENV="stagin") == (
        f'CRONQ_ENV = "stagin": must be one of the [env.*] tables of {file}: live, staging',
    )


def test_an_env_without_any_env_table_is_an_error(refused: Refusing, file: Path) -> None:
    assert refused("", CRONQ_ENV="live") == (
        f'CRONQ_ENV = "live": {file} has no [env.*] table; add [env.live] or unset CRONQ_ENV',
    )


def test_an_env_without_a_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load(environ={"CRONQ_ENV": "live"})


def test_an_env_that_is_not_chosen_is_checked_too(refused: Refusing) -> None:
    (problem,) = refused("[env.live]\nmax_processes = 0")
    assert "env.live.max_processes = 0: must be" in problem


@pytest.mark.parametrize("text", ["env = 5", "env.live = 5"])
def test_a_refused_env_is_one_problem_when_it_is_chosen(refused: Refusing, text: str) -> None:
    (problem,) = refused(text, CRONQ_ENV="live")
    assert f"{text}: must be a table" in problem


def test_what_does_not_fit_is_blamed_on_the_env_that_says_so(refused: Refusing, file: Path) -> None:
    (problem,) = refused("[env.live.inline]\nqueues = ['own']", CRONQ_ENV="live")
    assert problem.startswith(f'{file}: env.live.inline.queues = "own"')


@pytest.mark.parametrize(
    ("name", "text", "path", "expected"),
    [
        ("CRONQ_MAX_PROCESSES", "8", "max_processes", 8),
        ("CRONQ_MAX_PROCESSES", " 8 ", "max_processes", 8),
        ("CRONQ_MEMORY_MB", "off", "memory_mb", None),
        ("CRONQ_QUEUE_PREFIX", "123", "queue_prefix", "123"),
        ("CRONQ_QUEUE_PREFIX", '"123"', "queue_prefix", "123"),
        ("CRONQ_QUEUE_PREFIX", "", "queue_prefix", ""),
        ("CRONQ_INTERVAL", "90", "interval_s", 90.0),
        ("CRONQ_INTERVAL", "5m", "interval_s", 300.0),
        ("CRONQ_INTERVAL", "auto", "interval_s", "auto"),
        ("CRONQ_STATE_DIR", "/state", "state_dir", "/state"),
        ("CRONQ_CODE_MARKER", "/a, /b", "code_marker", ("/a", "/b")),
        ("CRONQ_FAILURES_KEEP", "7d", "failures_keep_s", 604800.0),
        ("CRONQ_INLINE_MODE", "off", "inline.mode", "off"),
        ("CRONQ_INLINE_QUEUES", "high,low", "inline.queues", ("high", "low")),
        ("CRONQ_INLINE_QUEUES", '["high", "low"]', "inline.queues", ("high", "low")),
        ("CRONQ_INLINE_QUEUES", "low", "inline.queues", ("low",)),
        ("CRONQ_INLINE_QUEUES", "", "inline.queues", ()),
        ("CRONQ_CONSUMERS", "[]", "groups", ()),
    ],
)
def test_a_variable_sets_its_key(loaded: Loading, name: str, text: str, path: str, expected: object) -> None:
    assert value(loaded("", **{name: text}), path) == expected


def test_a_variable_sets_a_key_of_a_queue_in_the_file(loaded: Loading) -> None:
    assert loaded(STAGING, CRONQ_QUEUES_MAIL_TIMEOUT="5s").queue("mail").timeout_s == 5.0


def test_a_variable_sets_a_route_in_the_file(loaded: Loading) -> None:
    assert loaded(STAGING, CRONQ_ROUTING_SHOP_ZIP="high").routing["shop.Zip"] == ("high",)


def test_a_variable_that_could_mean_two_keys_is_refused(refused: Refusing) -> None:
    (problem,) = refused(STAGING, CRONQ_QUEUES_MAIL_RETRY_MAX_ATTEMPTS="5")
    assert "could mean queues.mail.retry.max_attempts and queues.mail_retry.max_attempts" in problem


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("CRONQ_MAX_PROCESSES", "x", 'CRONQ_MAX_PROCESSES: max_processes = "x": must be a whole number from 1 to 100'),
        ("CRONQ_MAX_PROCESSES", "8\nx = 1", "must be a whole number"),
        ("CRONQ_MAX_PROCESSES", "[" * 5000, "must be a whole number"),
        ("CRONQ_INLINE_MODE", "of", 'CRONQ_INLINE_MODE: inline.mode = "of": must be one of'),
        (
            "CRONQ_INLINE_QUEUES",
            "own",
            'CRONQ_INLINE_QUEUES: inline.queues = "own": must be a queue that a group serves',
        ),
        ("CRONQ_CONSUMERS", "high", 'CRONQ_CONSUMERS: consumers = ["high"]: must be [], which turns all groups off'),
        (
            "CRONQ_MAX_PROCESES",
            "s3cret",
            "CRONQ_MAX_PROCESES: no key of cronq has this variable; the nearest is CRONQ_MAX_",
        ),
        ("CRONQ_", "1", "CRONQ_: no key of cronq has this variable; the nearest is CRONQ_"),
        ("CRONQ_QUEUES_MAIL_TIMEOUT", "1", "no key of cronq has this variable"),
    ],
)
def test_a_wrong_variable_is_named(refused: Refusing, name: str, text: str, problem: str) -> None:
    (found,) = refused("", **{name: text})
    assert (problem in found, "s3cret" in found) == (True, False), found


def test_variables_of_other_programs_are_left_alone(loaded: Loading) -> None:
    assert loaded("", CRONQX="1", PATH="/bin", MAX_PROCESSES="9").max_processes == 4
