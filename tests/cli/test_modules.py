"""Modules with tasks that the App's own module does not import: found by consumers, or told by `cronq check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

MAILS = """
from shop.tasks import app

@app.task
def send(path: str) -> None:
    open(path, "w").close()
"""

GALLERY = """
from cronq import task

@task
def resize(path: str) -> None:
    open(path, "w").close()
"""


@pytest.fixture
def modules(shop: Shell) -> Shell:
    (shop.home / "shop" / "mails.py").write_text(MAILS)
    (shop.home / "gallery.py").write_text(GALLERY)
    return shop


def add(shop: Shell, line: str) -> None:
    shop.config.write_text(f"{line}\n{shop.config.read_text()}")


def test_check_names_a_module_that_makes_tasks_and_is_not_imported(modules: Shell) -> None:
    (told,) = [one for one in modules.json("check")["warnings"] if "mails" in one]
    assert f"{modules.home}/shop/mails.py" in told
    assert f"modules = ['shop.mails'] in {modules.config}" in told


def test_check_looks_into_folders_that_are_packages_without_saying_so_and_knows_tasks_without_an_app(
    modules: Shell,
) -> None:
    add(modules, 'modules = ["gallery"]')
    jobs = modules.home / "shop" / "jobs"
    jobs.mkdir()
    (jobs / "nightly.py").write_text("import os\nfrom cronq import cron as at, task\n" + SHARED_TASK)
    (jobs / "helpers.py").write_text("from cronq import Retry as task\nfrom shop.own import cron\n" + SHARED_TASK)
    told = [one for one in modules.json("check")["warnings"] if "jobs" in one]
    assert [f"modules = ['shop.jobs.nightly'] in {modules.config}" in one for one in told] == [True]


SHARED_TASK = """
@task(queue="low")
def tidy() -> None: ...
"""


def test_check_knows_what_is_imported_from_a_directory_below_the_project(shop: Shell) -> None:
    source = shop.home / "src"
    source.mkdir()
    (source / "gallery.py").write_text(MAILS)
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write(f"import sys\nsys.path.append({str(source)!r})\nimport gallery\n")
    assert not [one for one in shop.json("check")["warnings"] if "gallery" in one]


def test_check_names_a_package_that_is_imported_and_not_included(modules: Shell) -> None:
    with (modules.home / "shop" / "tasks.py").open("a") as file:
        file.write("import gallery\n")
    (told,) = [one for one in modules.json("check")["warnings"] if "gallery" in one]
    assert "modules = ['gallery']" in told


def test_consumers_find_what_the_configuration_names(modules: Shell) -> None:
    add(modules, 'modules = ["shop.*", "gallery"]')
    assert not [one for one in modules.json("check")["warnings"] if "mails" in one or "gallery" in one]
    names = [one["task"] for one in modules.json("tasks", "list")]
    assert {"shop.mails.send", "gallery.resize"} <= set(names)
    for task in ("shop.mails.send", "gallery.resize"):
        path = modules.home / f"{task}.ran"
        modules.says("enqueue", task, str(path))
        modules.says("consume", "all", "--stop-when-empty")
        assert path.exists()


def test_a_consumer_that_cannot_import_a_module_says_so(modules: Shell) -> None:
    add(modules, 'modules = ["shop.mial"]')
    said = modules.says("consume", "all", "--stop-when-empty", code=1)
    assert "modules: 'shop.mial': there is no module 'shop.mial'" in said
    assert "shop.mial" in modules.says("check", code=2)


def test_a_module_that_fails_is_told_with_its_line(modules: Shell) -> None:
    add(modules, 'modules = ["shop.mails"]')
    (modules.home / "shop" / "mails.py").write_text("1 / 0\n")
    said = modules.says("check", code=2)
    assert "ZeroDivisionError" in said
    assert "shop/mails.py, line 1" in said
