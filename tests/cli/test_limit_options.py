from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cronq.cli.cmd_consume import command as consume
from cronq.cli.limit_options import limit_options
from cronq.config.limit_keys import LIMITS


@click.command()
@limit_options
def limited(**limits: object) -> None:
    """Print what arrived."""
    click.echo({name: value for name, value in sorted(limits.items()) if value is not None})


def printed(*words: str) -> str:
    return CliRunner().invoke(limited, words).output.strip()


def test_an_option_arrives_under_the_name_of_its_setting():
    words = ("--limit", "3", "--time-limit", "10m", "--memory-limit", "256", "--failure-limit", "2")
    assert printed(*words) == str({"failure_limit": 2, "limit": 3, "memory_limit_mb": 256, "time_limit_s": 600.0})


def test_what_is_not_given_changes_nothing():
    assert printed() == "{}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--limit", "0"), "0 must be a whole number from 1 to 1000000000, for example 1000"),
        (("--time-limit", "soon"), 'soon must be a duration from 1s to 30d, for example "10m"'),
        (("--memory-limit", "off"), "off must be a whole number of MB from 16 to 1048576, or text with K, M or G"),
    ],
)
def test_a_value_that_the_file_would_refuse_is_refused(words: tuple[str, ...], said: str):
    assert said in printed(*words)


def test_consume_has_every_option_of_the_table():
    known = {option for parameter in consume.params for option in parameter.opts}
    assert {limit.option for limit in LIMITS if limit.option} <= known
