"""What the documents say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cronq.cli.commands import NAMES
from cronq.config.template import template

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
DESIGN = ROOT / "docs/design"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks/README.md", *DOCS]


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links(page: Path) -> list[str]:
    """The relative links of a page, as they are written."""
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text())


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`: the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_configuration_page_shows_the_file_that_init_writes():
    page = (ROOT / "docs/configuration.md").read_text()
    assert template("shop.tasks:app") in page


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_in_the_readme(name):
    assert (
        re.search(rf"`cronq {name}\b", (ROOT / "README.md").read_text())
        or f", `cronq {name}`" in (ROOT / "README.md").read_text()
    )


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_of_a_page_leads_somewhere(page):
    missing = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


def test_every_design_page_is_linked_from_the_index():
    linked = {(DESIGN / link.partition("#")[0]).resolve() for link in links(DESIGN / "README.md")}
    assert [shown(page) for page in DESIGN.rglob("*.md") if page != DESIGN / "README.md" and page not in linked] == []


@pytest.mark.parametrize("page", DOCS, ids=shown)
def test_every_document_is_linked_from_another(page):
    others = [one for one in PAGES if one != page]
    assert any((one.parent / link.partition("#")[0]).resolve() == page for one in others for link in links(one))


FOR_DEVELOPERS = [ROOT / "docs/developing.md", ROOT / "docs/design/reading.md"]


@pytest.mark.parametrize("page", FOR_DEVELOPERS, ids=lambda page: page.name)
def test_every_file_that_a_page_for_developers_names_is_there(page):
    named = re.findall(r"`((?:cronq|tests|wsgi_hooks|docs|benchmarks)/[\w./]+\.\w+)`", page.read_text())
    assert len(named) > 5
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []
