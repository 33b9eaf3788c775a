"""One word, one thing: names of classes, modules and packages, held against each other and against the glossary."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for package in ("cronq", "wsgi_hooks") for path in (ROOT / package).rglob("*.py"))
PURE = ("cronq/messages", "cronq/tasks", "cronq/schedules", "cronq/webhook")
SIBLINGS = ("cronq/transports/memory/", "cronq/transports/sqlite/")
"""Transports have the same parts by design, so their modules have the same names; their classes have not."""

GERUNDS = {
    "firing": "a noun of the glossary: one firing of a schedule",
    "routing": "the table [routing] of cronq.toml",
    "testing": "the package behind `app.testing()`",
}
PACKAGES = {
    "cronq": "the name of all",
    "abilities": "what a transport can do; ability is the word",
    "cli": "the command line, as everywhere",
    "config": "the configuration, as everywhere",
    "contrib": "what needs other packages, as in Django",
    "runtime": "what runs an app",
    "testing": "box is the word; the package is named after `app.testing()`",
    "memory": "a transport, named after where its queues are",
    "sqlite": "likewise",
    "wsgi_hooks": "WSGI is a standard",
    "servers": "the web servers that wsgi_hooks knows",
}
CLASSES = {
    "Memory": "of a process",
    "QueueCounts": "a queue's counts",
    "Items": "how a function takes its items",
    "Ran": "what became of the items of one call",
    "Later": "what `context.continue_later()` returns",
    "HighPriority": "the queue `high`, as a mark of message classes",
    "NormalPriority": "likewise",
    "LowPriority": "likewise",
    "Sender": "a task's view of its app",
    "Refs": "a ref's view of its app",
    "Opening": "what `app.outbox()` returns: an outbox is open inside it",
    "Arguments": "of a plain call",
    "AsyncTask": "a task whose function is a coroutine",
    "TaskDecorator": "what `app.task` is, for type checkers above all",
    "TaskMaker": "likewise, when it was given options",
    "TaskOptions": "options of a task as type checkers see them",
    "DeliveryOptions": "likewise, of one enqueueing",
    "Prepared": "a task with a delivery: what `task.using()` returns",
    "Unique": "the option that gives a unique key",
    "MaxRunning": "the option that gives a running key",
    "Asked": "terms as they were asked for, before they are those of a message",
    "Fired": "how a firing went",
    "DeliveryError": "a delivery that failed",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def classes(path: Path) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]


def words() -> set[str]:
    rows = re.findall(r"^\| ([^|]+) \| .+ \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    return {word.strip() for row in rows for word in row.split(",")}


def spoken(name: str) -> str:
    """Return `StoredSchedule` as people say it."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def twice(where: dict[str, set[str]]) -> dict[str, list[str]]:
    return {name: sorted(files) for name, files in where.items() if len(files) > 1}


def test_no_class_name_stands_in_two_files():
    found: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        for name in classes(path):
            found[name].add(name_of(path))
    assert twice(found) == {}


def test_no_module_name_stands_twice_save_in_sibling_transports():
    found: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        name = name_of(path)
        if path.stem != "__init__":
            found[path.stem].add("a transport" if name.startswith(SIBLINGS) else name)
    assert twice(found) == {}


def test_files_are_named_by_nouns():
    names = {path.parent.name if path.stem == "__init__" else path.stem for path in MODULES}
    assert {name for name in names if name.endswith("ing")} == set(GERUNDS)


def test_every_package_is_a_word_of_the_glossary():
    packages = {path.parent.name for path in MODULES if path.stem == "__init__"}
    unknown = {name for name in packages if not words() & {name, name.removesuffix("s")}}
    assert unknown == set(PACKAGES)


def test_every_class_of_the_pure_packages_is_a_word_of_the_glossary():
    public = {
        node.name
        for path in MODULES
        if name_of(path).startswith(PURE)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    assert {name for name in public if spoken(name) not in words()} == set(CLASSES)


def test_no_word_of_the_glossary_is_explained_twice():
    rows = re.findall(r"^\| ([^|]+) \| .+ \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    every = [word.strip() for row in rows for word in row.split(",")]
    assert sorted(set(every)) == sorted(every)
