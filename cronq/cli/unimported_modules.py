"""Modules of a project that make tasks and that no consumer imports, found by reading their text."""

from __future__ import annotations

import ast
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.app import App

_MAKERS = frozenset({"task", "handler", "batch", "cron", "on_failure"})
_MOST_FILES = 2000  # a project that has more is not read further: this is a help, not a proof
_SHARED_MAKERS = frozenset({"task", "handler", "batch", "cron"})  # of cronq itself, for tasks without an App
_SKIPPED = frozenset({"node_modules", "site-packages", "tests", "__pycache__"})


class Unimported(NamedTuple):
    """A module that makes tasks, and the file it is in."""

    module: str
    path: str


def unimported(app: App, directory: str) -> Iterator[Unimported]:
    """Yield what is not imported of the modules in a project's directory that make tasks of this app."""
    imported = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for number, path in enumerate(_files(directory)):
        if number == _MOST_FILES:
            return
        module = _name_of(path, directory)
        if path in imported or module in sys.modules or module.rpartition(".")[2] == "__main__":
            continue
        if _makes_tasks(app, path, module):
            yield Unimported(module, path)


def _files(directory: str) -> Iterator[str]:
    """Yield the modules that stand in a directory, and those of its packages, in order of name.

    A folder without `__init__.py` is a package as well, when its name can stand in an import.
    """
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED and entry.name.isidentifier():
                with suppress(OSError):  # what this account cannot read, it cannot import
                    yield from _files(entry.path)
        elif entry.name.endswith(".py"):
            yield entry.path


def _name_of(path: str, directory: str) -> str:
    """Return the name that a file is imported by: below the nearest directory where imports are looked for."""
    roots = [directory, *(os.path.abspath(entry) for entry in sys.path)]
    root = max((one for one in roots if path.startswith(os.path.join(one, ""))), key=len, default=directory)
    return os.path.relpath(path, root).removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")


def _makes_tasks(app: App, path: str, module: str) -> bool:
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):  # whoever imports it will see
        return False
    apps, makers = set(_apps(app, tree, module)), set(_shared_makers(app, tree, module))
    decorators = [one for node in ast.walk(tree) for one in getattr(node, "decorator_list", ())]
    return any(_is_maker(one.func if isinstance(one, ast.Call) else one, apps, makers) for one in decorators)


def _apps(app: App, tree: ast.Module, module: str) -> Iterator[str]:
    """Yield the names that a module has for the app."""
    for origin, one in _imports(tree, module):
        if getattr(sys.modules.get(origin), one.name, None) is app:
            yield one.asname or one.name


def _shared_makers(app: App, tree: ast.Module, module: str) -> Iterator[str]:
    """Yield the names that a module of the app's own package has for what makes tasks without an App."""
    if module.partition(".")[0] != (app.settings.app or "").partition(":")[0].partition(".")[0]:
        return  # whoever wrote that may mean other apps
    for origin, one in _imports(tree, module):
        if origin == "cronq" and one.name in _SHARED_MAKERS:
            yield one.asname or one.name


def _imports(tree: ast.Module, module: str) -> Iterator[tuple[str, ast.alias]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            yield from ((_absolute(node, module), one) for one in node.names)


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _is_maker(decorator: ast.expr, apps: set[str], makers: set[str]) -> bool:
    """Tell whether it is `@app.task` or the like, or `@task` without an App."""
    if isinstance(decorator, ast.Name):
        return decorator.id in makers
    if not isinstance(decorator, ast.Attribute) or decorator.attr not in _MAKERS:
        return False
    return isinstance(decorator.value, ast.Name) and decorator.value.id in apps
