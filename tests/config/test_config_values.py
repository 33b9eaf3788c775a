from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cronq.config import Autoscale, Group, Inline, Queue, load
from cronq.config.keys import MAIN
from cronq.config.settings import DEFAULT_GROUPS
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.config.conftest import Loading, Refusing

GROUP = '[[consumers]]\nname = "high"\nqueues = ["high"]\n'


def test_every_key_of_the_top_level_arrives(loaded: Loading, file: Path) -> None:
    found = loaded(
        """
        app = "shop.tasks:app"
        transport = "memory://"
        durability = "normal"
        state_dir = "/var/state"
        queue_prefix = "shop:"
        python = "/usr/bin/python3"
        interval = "5m"
        max_processes = 9
        memory_mb = "off"
        code_marker = "restart.txt"
        log_max_mb = 2
        failures.keep = "P7D"
        """
    )
    assert found == found._replace(
        path=str(file),
        base_dir=str(file.parent),
        state_dir="/var/state",
        app="shop.tasks:app",
        transport="memory://",
        durability="normal",
        queue_prefix="shop:",
        python="/usr/bin/python3",
        interval_s=300.0,
        max_processes=9,
        memory_mb=None,
        code_marker=(f"{file.parent}/restart.txt",),
        log_max_mb=2,
        failures_keep_s=7 * 86400.0,
    )


def test_every_key_of_a_group_arrives(loaded: Loading) -> None:
    keys = """
        autoscale = { desired_size = 7, min = 1, max = 3 }
        time_limit = "2m"
        limit = 100
        memory_limit_mb = "off"
        failure_limit = 5
        sleep = 2
        nice = 0
        """
    assert loaded(GROUP + keys).groups == (
        Group("high", ("high",), Autoscale(7, 1, 3)).changed(
            time_limit_s=120.0,
            limit=100,
            memory_limit_mb=None,
            failure_limit=5,
            sleep_s=2.0,
            nice=0,
        ),
    )


def test_what_a_group_leaves_out_has_its_default(loaded: Loading) -> None:
    assert loaded(GROUP).groups == (Group("high", ("high",)),)


def test_without_consumers_the_default_groups_serve(loaded: Loading) -> None:
    assert loaded("").groups == DEFAULT_GROUPS


def test_empty_consumers_mean_no_group(loaded: Loading) -> None:
    assert loaded("consumers = []").groups == ()


def test_every_key_of_inline_arrives(loaded: Loading) -> None:
    keys = """
        [inline]
        queues = ["low"]
        mode = "spawn"
        when = "unattended"
        grace_period = "5m"
        time_limit = "20s"
        slice = 0.5
        max_processes = 2
        memory_limit_mb = 128
        request_timeout = "1m"
        """
    assert loaded(keys).inline == Inline(("low",), "spawn", "unattended", 300.0, 20.0, 0.5, 2, 128, 60.0)


def test_an_empty_list_of_inline_queues_turns_inline_work_off(loaded: Loading) -> None:
    assert loaded("inline.queues = []").inline.queues == ()


def test_every_key_of_a_queue_arrives(loaded: Loading) -> None:
    keys = """
        [queues.low]
        ack = "each"
        max_attempts = 4
        timeout = "30s"
        result_ttl = "1h"
        retry = { max_attempts = 3, delay = "1s", multiplier = 2, max_delay = "1h", jitter = 0.1 }
        isolated = true
        memory_mb = 128
        """
    retry = {"max_attempts": 3, "delay_s": 1.0, "multiplier": 2.0, "max_delay_s": 3600.0, "jitter": 0.1}
    assert loaded(keys).queue("low") == Queue("low", "each", 4, 30.0, 3600.0, retry, isolated=True, memory_mb=128)


def test_the_exceptions_that_a_queue_retries_arrive(loaded: Loading) -> None:
    keys = """
        queues.low = { preset = "slow", retry.retry_on = ["OSError"] }
        presets.slow.retry.give_up_on = ["ValueError", "shop.errors.NoSuchUser"]
        """
    retry = {"retry_on": ("OSError",), "give_up_on": ("ValueError", "shop.errors.NoSuchUser")}
    assert loaded(keys).queue("low").retry == retry


def test_a_group_may_isolate_all_its_messages(loaded: Loading) -> None:
    assert loaded(GROUP + "isolated = true").groups[0].isolated is True
    assert loaded(GROUP).groups[0].isolated is False


def test_a_preset_lies_under_the_queue_s_own_keys(loaded: Loading) -> None:
    keys = """
        queues.low = { preset = "slow", timeout = "1m", retry.delay = "2s" }
        presets.slow = { timeout = "10m", max_attempts = 9, retry = { delay = "1s", jitter = 0 } }
        """
    assert loaded(keys).queue("low") == Queue(
        "low", max_attempts=9, timeout_s=60.0, retry={"delay_s": 2.0, "jitter": 0.0}
    )


def test_routes_arrive(loaded: Loading) -> None:
    assert loaded('[routing]\n"shop.CreateZip" = "low"').routing == {"shop.CreateZip": ("low",)}
    several = loaded('[routing]\n"shop.CreateZip" = ["low", "high"]').routing
    assert several == {"shop.CreateZip": ("low", "high")}


def test_the_mappings_cannot_be_changed(loaded: Loading) -> None:
    with pytest.raises(TypeError):
        loaded("").queues["x"] = Queue("x")  # type: ignore[index]  # that is the point


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max_processes = 0", "max_processes = 0: must be a whole number from 1 to 100, for example 4"),
        ("max_processes = true", "max_processes = true: must be a whole number"),
        ("max_processes = 2.0", "max_processes = 2.0: must be a whole number"),
        (f"max_processes = 0x{'f' * 9000}", "max_processes = a number of thousands of digits: must be"),
        ("app = 'shop.tasks'", 'app = "shop.tasks": must be a module, a colon'),
        ("app = 'shop tasks:app'", "must be a module, a colon"),
        ("durability = 'ful'", 'durability = "ful": must be one of "full", "normal", for example "full"'),
        ("durability = ['full']", 'durability = ["full"]: must be one of'),
        ("state_dir = ''", 'state_dir = "": must be a path'),
        ('state_dir = "a\\u0000b"', "must be a path"),
        ("python = 'python3'", 'python = "python3": must be an absolute path, for example "/home'),
        ("code_marker = ['a', 1]", 'code_marker = ["a", 1]: must be a path or a list of paths'),
        ("interval = '5 minutes'", 'interval = "5 minutes": must be a duration from 1s to 1d, or "auto", for example'),
        ("interval = '0s'", "must be a duration from 1s to 1d"),
        ("queue_prefix = 'a b'", "must be up to 40 letters"),
        ("inline = 5", "inline = 5: must be a table"),
        ("inline.mode = 1979-05-27", "inline.mode = 1979-05-27: must be one of"),
        ("queues = []", "queues = []: must be a table"),
        ("queues.'a/b' = {}", 'queues."a/b" = a table: the name must be a queue name'),
        ("queues.'.a' = {}", "the name must be a queue name"),
        (
            'queues.low.retry.give_up_on = "ValueError"',
            'queues.low.retry.give_up_on = "ValueError": must be a list of names of exception classes, for example '
            '["ValueError", "shop.errors.NoSuchUser"]',
        ),
        (
            'queues.low.retry.retry_on = ["no-name"]',
            'retry_on = ["no-name"]: must be a list of names of exception classes',
        ),
        ("queues.low.retry.jitter = 2", "queues.low.retry.jitter = 2: must be a number from 0 to 1, for example 0.1"),
        ("queues.low.retry.multiplier = nan", "multiplier = nan: must be a number from 1 to 100"),
        ("queues.low.preset = 'slow'", 'queues.low.preset = "slow": must be the name of a [presets.NAME] table; known'),
        ("presets.slow.preset = 'x'", "presets.slow.preset: is no key of cronq; known are ack"),
        (
            "routing.shop.Zip = 'low'",
            "routing.shop = a table: the name must be the dotted name of a class or task in quotes",
        ),
        ("routing.'shop.Zip' = 1", 'routing."shop.Zip" = 1: must be a queue name'),
        ("routing.'shop.Zip' = []", 'routing."shop.Zip" = []: must be a queue name'),
        ("routing.'shop.Zip' = ['low', 'low']", 'routing."shop.Zip" = ["low", "low"]: "low" must be there only once'),
        ("consumers = 'none'", 'consumers = "none": must be tables that each begin with [[consumers]], or [] for none'),
        ("[consumers]\nname = 'a'", "consumers = a table: must be tables that each begin with [[consumers]]"),
        ("consumers = [1]", "consumers[0] = 1: must be a table"),
        ("consumers = [{queues = ['a']}]", "consumers[0]: name is missing: must be 1 to 40 letters"),
        (
            "consumers = [{name = 'a'}]",
            "consumers[0] (a): queues is missing: must be a list of one or more queue names",
        ),
        ("consumers = [{name = 'a/b', queues = ['a']}]", 'consumers[0] (a/b): name = "a/b": must be 1 to 40 letters'),
        ("consumers = [{name = 'tick', queues = ['a']}]", 'name = "tick": must be'),
        ("consumers = [{name = 'inline', queues = ['a']}]", 'name = "inline": must be'),
        (f"consumers = [{{name = '{'a' * 41}', queues = ['a']}}]", "must be 1 to 40 letters"),
        ("consumers = [{name = 'a', queues = []}]", "queues = []: must be a list of one or more queue names"),
        ("consumers = [{name = 'a', queues = ['b', 'b']}]", '"b" must be there only once'),
        ("consumers = [{name = 'a', queues = ['b c']}]", '"b c" must be a queue name'),
        (GROUP + "autoscale.max = 0", "consumers[0] (high): autoscale.max = 0: must be a whole number from 1 to 100"),
        (
            GROUP + "autoscale.min = 2",
            "(high): autoscale.min = 2: must be at most autoscale.max, which is 1 by default",
        ),
        (GROUP + "autoscale = {min = 3, max = 2}", "autoscale.min = 3: must be at most autoscale.max, which is 2"),
        (GROUP + "isolated = 1", "consumers[0] (high): isolated = 1: must be true or false, for example true"),
        ("queues.low.isolated = 'yes'", 'queues.low.isolated = "yes": must be true or false, for example true'),
        ("queues.low.memory_mb = 1", "queues.low.memory_mb = 1: must be a whole number of MB from 16 to 1048576"),
        (GROUP + "nice = 20", "consumers[0] (high): nice = 20: must be a whole number from 0 to 19"),
        (GROUP + GROUP, 'consumers[1] (high): name = "high": must be another name, consumers[0] has this one'),
        ("max_proceses = 1", "max_proceses: is no key of cronq; did you mean max_processes?"),
        ("[zzz.nightly]", "zzz: is no key of cronq; known are app"),
        ("[web]", "web: is no key of cronq"),
        ("[env.test.inline]\nmode = 'of'", 'env.test.inline.mode = "of": must be one of'),
        ("[env.'a b']", 'env."a b" = a table: the name must be 1 to 40 letters'),
        ("[env.a.env.b]", "env.a.env: is no key of cronq"),
    ],
)
def test_a_wrong_value_is_one_problem_with_file_key_value_and_remedy(
    refused: Refusing, file: Path, text: str, problem: str
) -> None:
    (found,) = refused(text)
    assert (found.startswith(f"{file}: "), problem in found) == (True, True), found


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://ada:secret@db/shop", '"mysql://***@db/shop": mysql is not in this version'),
        ("postgresql://db", "postgresql is not in this version"),
        ("redis://db?password=secret", '"redis://db": redis is not in this version'),
        ("redis://db?user=a@b&password=secret", '"redis://***": redis is not in this version'),
        ("mysql://ada:se?secret@db", '"mysql://***": mysql is not in this version'),
        ("mysql://ada:x@secret@db", '"mysql://***@db": mysql is not in this version'),
        ("mysql://ada:secret/x@db", '"mysql://***@db": mysql is not in this version'),
        ("sqlite://ada:secret@db/x", "needs three slashes"),
        ("postgresql:ada:secret@db", "***: must be sqlite:///FILE"),
        ("host=db password=secret", "***: must be sqlite:///FILE"),
        ("amqp://db", "amqp is not in this version"),
        (
            "sqlite://queue.db",
            'needs three slashes for a file in the state directory, for example "sqlite:///queue.db"',
        ),
        ("sqlite:///", "must be sqlite:///FILE, memory:// or sync://"),
        ("sqlite:///:memory:", "must be sqlite:///FILE, memory:// or sync://"),
        ("queue.db", "must be sqlite:///FILE, memory:// or sync://"),
        ("memory://x", "must be sqlite:///FILE, memory:// or sync://"),
    ],
)
def test_an_unusable_transport_is_refused_without_its_password(refused: Refusing, url: str, problem: str) -> None:
    (found,) = refused(f"transport = '{url}'")
    assert (problem in found, "secret" in found) == (True, False), found


def test_all_problems_come_at_once(refused: Refusing) -> None:
    wrong = "max_processes = 0\nnonsense = 1\ninline.mode = 'x'\n" + GROUP + GROUP + "nice = 99"
    assert len(refused(wrong)) == 5


@pytest.mark.parametrize("text", ["sync://", "memory://", "sqlite:///queue.db", "sqlite:////abs/queue.db"])
def test_the_transports_of_this_version_are_taken(loaded: Loading, text: str) -> None:
    assert loaded(f"transport = '{text}'").transport == text


KEYS = [path for path, _ in MAIN.leaves({"queues": {"low": {}}, "presets": {"slow": {}}, "routing": {"a.B": ""}}, ())]
WRONG = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers(max_value=-1).map(str),
    st.integers(min_value=10**10).map(str),
    st.dates().map(str),
    st.floats(max_value=-0.001, allow_infinity=False).map(lambda value: f"{value:f}"),
    st.sampled_from(["nan", "inf", "{}", "[[]]", "[-1]", "''' '''", '"\\u0000"', "[{}]", "[' ']"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(KEYS), WRONG)
def test_a_random_wrong_value_is_refused_with_its_key(file: Path, path: tuple[str, ...], wrong: str) -> None:
    assume(path[-1] not in {"isolated", "paused", "dev", "spool"} or wrong not in {"true", "false"})
    key = ".".join(f"'{name}'" for name in path)
    file.write_text(f"{key} = {wrong}")
    with pytest.raises(ConfigError) as caught:
        load(str(file), {})
    assert path[-1] in str(caught.value)


LINES = st.lists(
    st.one_of(
        st.text(alphabet="[]{}=\"'.,# \nabc019", max_size=30),
        st.tuples(st.sampled_from(KEYS).map(".".join), st.text(max_size=10)).map(" = ".join),
        st.sampled_from(["[[consumers]]", "[inline]", "[queues.mail]", "name = 'a'", "queues = ['a']", "[env.a]"]),
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(LINES, st.dictionaries(st.sampled_from(["CRONQ_ENV", "CRONQ_INLINE", "CRONQ_MEMORY_MB"]), st.text(max_size=9)))
def test_a_random_file_loads_or_is_refused(file: Path, lines: list[str], environ: dict[str, str]) -> None:
    file.write_text("\n".join(lines), encoding="utf-8", errors="ignore")
    with contextlib.suppress(ConfigError):
        assert load(str(file), environ).path == str(file)
