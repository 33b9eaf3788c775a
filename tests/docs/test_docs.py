"""What the documents say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cronq.cli.commands import NAMES
from cronq.config.template import template

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_configuration_page_shows_the_file_that_init_writes():
    page = (ROOT / "docs/configuration.md").read_text()
    assert template("shop.tasks:app") in page


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_in_the_readme(name):
    assert (
        re.search(rf"`cronq {name}\b", (ROOT / "README.md").read_text())
        or f", `cronq {name}`" in (ROOT / "README.md").read_text()
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []
