from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from cronq.config.keys import AUTOSCALE, FILE, GROUP, INLINE, QUEUE, SCHEDULE, WEBHOOK
from cronq.config.template import template

if TYPE_CHECKING:
    from cronq.config.nodes import Table
    from tests.config.conftest import Loading

EXAMPLE = r'^# (?=\[|[a-z_]+ = |")'


def with_defaults(text: str) -> str:
    return re.sub(r"^#(?=[\[a-z])", "", text, flags=re.MULTILINE)


def with_examples(text: str) -> str:
    return re.sub(EXAMPLE, "", with_defaults(text), flags=re.MULTILINE)


def test_the_template_as_it_is_sets_only_the_app(loaded: Loading) -> None:
    assert loaded(template("shop.tasks:app")) == loaded("")._replace(app="shop.tasks:app")


def test_the_template_without_an_app_sets_nothing() -> None:
    assert tomllib.loads(template(None)) == {}


def test_the_uncommented_template_is_exactly_the_defaults(loaded: Loading) -> None:
    assert loaded(with_defaults(template(None))) == loaded("")


def test_the_uncommented_template_really_sets_the_keys() -> None:
    tables = tomllib.loads(with_defaults(template(None)))
    assert (len(tables), len(tables["inline"]), len(tables["consumers"])) == (17, 9, 4)


def test_the_examples_are_a_valid_configuration_too(loaded: Loading) -> None:
    assert loaded(with_examples(template(None))).queue("mail").retry["max_delay_s"] == 3600.0


@pytest.mark.parametrize(
    ("table", "place"),
    [
        (FILE, ()),
        (GROUP, ("consumers", -1)),
        (AUTOSCALE, ("consumers", -1, "autoscale")),
        (INLINE, ("inline",)),
        (QUEUE, ("queues", "mail")),
        (SCHEDULE, ("schedule", "nightly")),
        (WEBHOOK, ("webhooks", "ops")),
    ],
    ids=["file", "group", "size", "inline", "queue", "schedule", "webhook"],
)
def test_every_key_is_in_the_template(table: Table, place: tuple[str | int, ...]) -> None:
    shown: Any = tomllib.loads(with_examples(template(None)))
    for step in place:
        shown = shown[step]
    assert sorted(table.keys.keys() - shown.keys()) == []


def test_a_long_app_with_odd_letters_is_written_whole() -> None:
    app = 'a\\b"c' * 30
    assert tomllib.loads(template(app)) == {"app": app}


def test_the_template_fits_two_screens() -> None:
    lines = template("shop.tasks:app").splitlines()
    assert (len(lines) <= 115, max(map(len, lines)) <= 120) == (True, True)
