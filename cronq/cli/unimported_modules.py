"""Modules of a project that make tasks and that no consumer imports, found by reading their text."""

from __future__ import annotations

import ast
import os
import sys
from typing import TYPE_CHECKING

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.app import App

_MAKERS = frozenset({"task", "handler", "batch", "cron", "on_failure"})
_MOST_FILES = 2000  # a project that has more is not read further: this is a help, not a proof
_SKIPPED = frozenset({"node_modules", "site-packages", "tests", "__pycache__"})


class Unimported(NamedTuple):
    """A module that makes tasks, and the file it is in."""

    module: str
    path: str


def unimported(app: App, directory: str) -> Iterator[Unimported]:
    """Yield what is not imported of the modules in a project's directory that make tasks of this app."""
    for number, path in enumerate(_files(directory)):
        if number == _MOST_FILES:
            return
        module = os.path.relpath(path, directory).removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")
        if module not in sys.modules and module.rpartition(".")[2] != "__main__" and _makes_tasks(app, path, module):
            yield Unimported(module, path)


def _files(directory: str) -> Iterator[str]:
    """Yield the modules that stand in a directory, and those of its packages, in order of name."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED and os.path.exists(os.path.join(entry.path, "__init__.py")):
                yield from _files(entry.path)
        elif entry.name.endswith(".py"):
            yield entry.path


def _makes_tasks(app: App, path: str, module: str) -> bool:
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):  # whoever imports it will see
        return False
    names = set(_names_of(app, tree, module))
    decorators = [one for node in ast.walk(tree) for one in getattr(node, "decorator_list", ())]
    return any(_is_maker(one.func if isinstance(one, ast.Call) else one, names) for one in decorators)


def _names_of(app: App, tree: ast.Module, module: str) -> Iterator[str]:
    """Yield the names that a module has for the app."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module)
            for one in node.names:
                if getattr(sys.modules.get(origin), one.name, None) is app:
                    yield one.asname or one.name


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _is_maker(decorator: ast.expr, names: set[str]) -> bool:
    """Tell whether it is `@app.task` or the like."""
    if not isinstance(decorator, ast.Attribute) or decorator.attr not in _MAKERS:
        return False
    return isinstance(decorator.value, ast.Name) and decorator.value.id in names
