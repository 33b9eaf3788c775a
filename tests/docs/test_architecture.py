"""The drawing of the architecture, held against the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAWING = (ROOT / "docs/design/architecture.dot").read_text()
ARROWS = re.findall(r"^ +(\w+) -> (\w+)$", DRAWING, re.MULTILINE)


def folder(name: str) -> Path:
    return ROOT / name if name == "wsgi_hooks" else ROOT / "cronq" / name


def imported(path: Path) -> set[str]:
    """Return the packages of ours that the modules below a folder import, for types as well."""
    found = set()
    for module in path.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module
                and node.module.split(".")[0] in {"cronq", "wsgi_hooks"}
            ):
                found.add(node.module.removeprefix("cronq.").split(".")[0])
    return found


def test_every_package_is_drawn_and_nothing_else():
    packages = {path.parent.name for path in (ROOT / "cronq").glob("*/__init__.py")} | {"wsgi_hooks"}
    assert set(re.findall(r"^ +(\w+) \[label=", DRAWING, re.MULTILINE)) == packages


@pytest.mark.parametrize(("importer", "found"), ARROWS)
def test_an_arrow_is_an_import(importer, found):
    assert found in imported(folder(importer))


def test_the_picture_shows_what_its_source_says():
    picture = (ROOT / "docs/design/architecture.svg").read_text()
    assert set(re.findall(r"<title>(\w+)&#45;&gt;(\w+)</title>", picture)) == set(ARROWS)
    for label in re.findall(r'label="([^"]+)"', DRAWING):
        for line in label.split(r"\n"):
            assert line.replace("'", "&#39;") in picture
