"""The page for people who come from another queue: its snippets run, and its tables name nothing that is not there."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import cronq
from cronq import App, Context, errors, signals
from cronq.app.schedule_administration import Schedules
from cronq.app.workflow_ref import WorkflowRef
from cronq.cli.commands import cli
from cronq.config import load
from cronq.config.advice import warnings
from cronq.config.keys import AUTOSCALE, GROUP, INLINE, MAIN, PRESET
from cronq.contrib import sentry
from cronq.messages.message import State
from cronq.messages.outbox import HELD
from cronq.schedules.schedule import Schedule
from cronq.tasks.options import Delivery, Options
from cronq.tasks.ref import GONE, UNKNOWN, Ref
from cronq.tasks.task import Task
from cronq.testing.box import Box
from tests.presence import there
from wsgi_hooks import CronqMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (Path(__file__).parents[2] / "docs/coming-from.md").read_text()
INTRODUCTION, *_SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
SECTIONS = {text.partition("\n")[0]: text for text in _SECTIONS}

# what names in the tables stand for
VALUES = {
    "app": App,
    "ref": Ref,
    "context": Context,
    "box": Box,
    "workflow": WorkflowRef,
    "signals": signals,
    "sentry": sentry,
}
CALLABLES: dict[str, Callable[..., object]] = {
    "app.task": Options,
    "app.handler": Options,
    "app.batch": App.batch,
    "app.cron": App.cron,
    "app.group": App.group,
    "app.dispatch": Task.using,
    "app.schedules.add": Schedules.add,
    "CronqMiddleware": CronqMiddleware,
}
OF_THE_EXAMPLES = {"CreateZip", "OrderPlaced"}
KEYS = {key for table in (AUTOSCALE, GROUP, INLINE, MAIN, PRESET) for key in table.keys}
FIELDS = {one.name for kind in (Options, Delivery) for one in fields(kind)}
OTHERS = {GONE, UNKNOWN, HELD, "app", "standby", "then", "high", "normal", "low"}
WORDS = KEYS | FIELDS | {str(state) for state in State} | OTHERS
FILES = {"cronq.toml", ".cronq/queue.db", ".cronq/log/cronq.log"}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def in_cronq() -> list[str]:
    """Return what stands as code in the right-hand columns."""
    rows = re.findall(r"^\| .* \| (.*) \|$", PAGE, re.MULTILINE)
    return sorted({code for row in rows for code in re.findall(r"`([^`]+)`", row)} - FILES)


COMMANDS = [code for code in in_cronq() if code.startswith("cronq ")]
SETTINGS = [code for code in in_cronq() if re.match(r"\[|\w+ = |CRONQ_", code)]
PYTHON = [code for code in in_cronq() if code not in {*COMMANDS, *SETTINGS}]


# the blocks


@pytest.mark.parametrize("section", SECTIONS)
def test_the_python_of_a_section_runs_from_top_to_bottom(section: str, home: Path) -> None:
    (home / "page.py").write_text("\n".join(blocks(INTRODUCTION, "python") + blocks(SECTIONS[section], "python")))
    argv = [sys.executable, "-W", "error", "page.py"]
    done = subprocess.run(argv, cwd=home, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", blocks(PAGE, "toml"))
def test_a_configuration_of_the_page_is_right_and_nothing_is_to_be_said_about_it(block: str, tmp_path: Path) -> None:
    file = tmp_path / "cronq.toml"
    file.write_text(block)
    assert warnings(load(file, {})) == ()


def test_every_section_has_python_and_no_block_is_of_another_language() -> None:
    assert all(blocks(text, "python") for text in SECTIONS.values())
    assert set(re.findall(r"^```(.+)\n", PAGE, re.MULTILINE)) == {"python", "toml"}


def test_every_link_inside_the_page_leads_to_a_heading() -> None:
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"^##+ (.+)", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


# the tables


@pytest.mark.parametrize("code", COMMANDS)
def test_a_command_of_the_tables_can_be_typed(code: str) -> None:
    _, *words = shlex.split(code)
    context = click.Context(cli)
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found is not None
        command = found
    command.make_context("cronq", words, parent=context)


@pytest.mark.parametrize("code", SETTINGS)
def test_a_setting_of_the_tables_is_one(code: str, tmp_path: Path) -> None:
    file = tmp_path / "cronq.toml"
    if code.startswith("CRONQ_"):
        file.write_text('app = "shop.tasks:app"\n[env.review]\n')
        examples = {"CRONQ_TRANSPORT": "sync://", "CRONQ_ENV": "review", "CRONQ_CONFIG": str(file)}
        assert load(None if code == "CRONQ_CONFIG" else file, {code: examples[code]}).path == str(file)
        return
    table, key = there(re.fullmatch(r"(\[\S+\])? ?(.*)", code)).groups()
    needs = {"queues": 'queues = ["normal"]\n', "name": 'name = "all"\n'} if table == "[[consumers]]" else {}
    lines = "".join(line for name, line in needs.items() if not key.startswith(f"{name} "))
    presets = "\n[presets.slow]" if "preset = " in key else ""
    file.write_text(f"{table or ''}\n{lines}{key}{presets}\n")
    load(file, {})


@pytest.mark.parametrize("code", PYTHON)
def test_a_name_of_the_tables_is_there(code: str) -> None:
    assert list(faults(ast.parse(code.removeprefix("@")))) == []


def faults(tree: ast.AST) -> Iterator[str]:
    """Say what the code names that cronq does not have."""
    is_word = isinstance(tree, ast.Module) and re.fullmatch(r"[a-z_]+", ast.unparse(tree))
    if is_word and ast.unparse(tree) not in WORDS:
        yield ast.unparse(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id[0].isupper() and not is_known(node.id):
            yield node.id
        if isinstance(node, ast.Attribute) and not has(ast.unparse(node.value), node.attr):
            yield ast.unparse(node)
        if isinstance(node, ast.Call):
            yield from (f"{one.arg}=" for one in node.keywords if one.arg not in parameters(ast.unparse(node.func)))


def has(value: str, name: str) -> bool:
    return value not in VALUES or hasattr(VALUES[value], name)


def is_known(name: str) -> bool:
    return name in {*cronq.__all__, *CALLABLES, *OF_THE_EXAMPLES} or any(
        hasattr(one, name) for one in (builtins, errors)
    )


def parameters(function: str) -> set[str]:
    """Return what may be given by name to a function that a table calls."""
    if function.endswith(".using"):
        return set(inspect.signature(Task.using).parameters)
    called = getattr(cronq, function) if function in cronq.__all__ else CALLABLES[function]
    wanted = set(inspect.signature(called).parameters)
    return wanted | (set(Schedule._fields) - {"name", "task", "cron", "args"}) if "options" in wanted else wanted


def test_a_name_that_is_not_there_is_found() -> None:
    wrong = "@app.task(retries=3), ref.get(), Retrying(1), f.using(eta=5)"
    assert sorted(faults(ast.parse(wrong.removeprefix("@")))) == ["Retrying", "eta=", "ref.get", "retries="]
