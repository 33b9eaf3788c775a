"""Every place that takes a size or a duration takes the same forms: keys, variables, options, arguments in code."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click
import pytest

from cronq import App, Retry, RetryLater
from cronq.cli.commands import NAMES, cli
from cronq.config import load
from cronq.config.durations import parse_duration
from cronq.config.keys import MAIN
from cronq.config.nodes import Kind, Listed, Named, Table
from cronq.config.variables import parse
from cronq.errors import OptionError
from cronq.tasks.batch_task import BatchTask, Gather
from cronq.tasks.context import CURRENT
from cronq.tasks.decorator import DeliveryOptions, TaskOptions
from cronq.tasks.options import delivery_of, options_of
from cronq.units import megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def leaves(node: object, path: str = "") -> Iterator[tuple[str, Kind]]:
    if isinstance(node, Kind):
        yield path, node
    elif isinstance(node, Table):
        for name, below in node.keys.items():
            yield from leaves(below, f"{path}.{name}".removeprefix("."))
    elif isinstance(node, Listed):
        yield from leaves(node.entry, f"{path}[]")
    elif isinstance(node, Named):
        yield from leaves(node.node, f"{path}.NAME")


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from commands(found, f"{name} {below}")


KEYS = dict(leaves(MAIN))
SIZES = {path: kind for path, kind in KEYS.items() if path.endswith("_mb")}
DURATIONS = {path: kind for path, kind in KEYS.items() if kind.suffix == "_s"}
OPTIONS = {
    f"{name} {option.opts[-1]}": option
    for name, command in commands(cli, "cronq")
    for option in command.params
    if isinstance(option, click.Option)
}
SIZE_OPTIONS = {name: one for name, one in OPTIONS.items() if "memory" in name}
DURATION_OPTIONS = {name: one for name, one in OPTIONS.items() if one.name is not None and one.name.endswith("_s")}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (256, 256),
        ("256", 256),
        ("512M", 512),
        ("512 MB", 512),
        ("512mib", 512),
        ("1G", 1024),
        ("1.5g", 1536),
        ("262144K", 256),
        ("262143K", 255),
        (" 2G ", 2048),
    ],
)
def test_sizes_are_of_1024_each_and_plain_numbers_are_megabytes(given: object, meant: int) -> None:
    assert megabytes(given) == meant


WRONG = [True, 1.5, None, "", "M", "B", "MB", "100B", "1T", "-1G", "1.5", "1.2.3G", "1e3M", "G1", "٣M", "9" * 400 + "G"]


@pytest.mark.parametrize("given", WRONG)
def test_what_is_no_size_is_refused(given: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whoever knows the key says what is wrong
        megabytes(given)


def test_there_are_sizes_and_durations_to_look_at() -> None:
    assert {"memory_mb", "log_max_mb", "inline.memory_limit_mb", "consumers[].memory_limit_mb"} <= set(SIZES)
    assert {"interval", "inline.slice", "failures.keep", "consumers[].sleep"} <= set(DURATIONS)
    assert "cronq consume --memory-limit" in SIZE_OPTIONS
    assert {"cronq consume --time-limit", "cronq failed retry --every", "cronq stop --for"} <= set(DURATION_OPTIONS)
    assert NAMES[0] in " ".join(OPTIONS)


@pytest.mark.parametrize("path", SIZES)
def test_every_size_of_the_configuration_takes_units_in_the_file_and_in_variables(path: str) -> None:
    kind = SIZES[path]
    for text in ("512M", "0.5G", "524288K", "512"):
        assert kind.accept(text) == kind.accept(parse(text, kind)) == 512
    assert kind.accept(512) == 512
    for wrong in ("512X", "1P", -1, 99.5):
        with pytest.raises(ValueError):  # noqa: PT011 - whoever knows the key says what is wrong
            kind.accept(wrong)
    assert "K, M or G" in kind.wants


@pytest.mark.parametrize("path", DURATIONS)
def test_every_duration_of_the_configuration_takes_the_same_forms(path: str) -> None:
    kind = DURATIONS[path]
    seconds = parse_duration(kind.example.strip('"'))
    for text in (f"{seconds}s", f"{seconds / 60}m", f"PT{seconds}S", str(seconds)):
        assert kind.accept(text) == pytest.approx(seconds)
        assert kind.accept(parse(text, kind)) == pytest.approx(seconds)
    assert kind.accept(seconds) == seconds


@pytest.mark.parametrize("name", SIZE_OPTIONS)
def test_every_option_with_a_size_takes_units(name: str) -> None:
    context = click.Context(click.Command("any"))
    for text in ("512", "512M", "0.5G"):
        assert SIZE_OPTIONS[name].type_cast_value(context, text) == 512


@pytest.mark.parametrize("name", DURATION_OPTIONS)
def test_every_option_with_a_duration_takes_the_same_forms(name: str) -> None:
    context = click.Context(click.Command("any"))
    for text in ("90", "90s", "1.5m", "1m30s", "PT1M30S"):
        assert DURATION_OPTIONS[name].type_cast_value(context, text) == 90


def test_a_task_takes_its_memory_with_a_unit() -> None:
    assert options_of(print, {"isolated": True, "memory_mb": "1.5G"}).memory_mb == 1536
    with pytest.raises(OptionError, match=r"memory_mb = '1\.5X': must be a whole number of MB"):
        options_of(print, {"isolated": True, "memory_mb": "1.5X"})


@pytest.mark.parametrize("name", [name for name in TaskOptions.__annotations__ if name.endswith("_s")])
def test_every_duration_of_a_task_may_be_a_timedelta(name: str) -> None:
    more = {"unique": "key"} if name == "debounce_s" else {}
    assert getattr(options_of(print, {name: timedelta(minutes=1), **more}), name) == 60


@pytest.mark.parametrize("name", [name for name in DeliveryOptions.__annotations__ if name.endswith("_s")])
def test_every_duration_of_an_enqueueing_may_be_a_timedelta(name: str) -> None:
    more = {"unique": "key"} if name == "debounce_s" else {}
    assert getattr(delivery_of("any", **{name: timedelta(minutes=1)}, **more), name) == 60


def test_durations_elsewhere_in_code_may_be_timedeltas(home: Path) -> None:
    minute = timedelta(minutes=1)
    assert Retry(delay_s=minute, max_delay_s=minute) == Retry(delay_s=60, max_delay_s=60)
    assert RetryLater(minute).delay_s == 60
    assert CURRENT.continue_later(1, minute).delay_s == 60
    (home / "cronq.toml").write_text("")
    app = App(load(str(home / "cronq.toml"), {}))

    @app.batch(size=2, wait_s=minute, name="index")
    def index(items: list[int]) -> None: ...

    assert isinstance(index, BatchTask)
    assert index.wait_s == Gather(2, 60.0).wait_s
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        app.task(print_nothing).enqueue(1).wait(timedelta(milliseconds=1))
    assert time.monotonic() - began < 30


def print_nothing(number: int) -> None:
    """Be a task."""
