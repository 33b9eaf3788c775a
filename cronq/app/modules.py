"""Modules whose tasks an app has, imported by its own module or not: `app.include`, `modules`, `entry_points`.

They are imported by those who must know every task: consumers when they start, `cronq check`, the first dispatch of a
message object in a process. A single task is imported when a message of it is there, and by nobody who enqueues it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.config.kinds import is_module_name
from cronq.errors import ConfigError, UsageError
from cronq.tasks.module_name import module_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from cronq.tasks.task import Task

ENTRY_POINTS = "cronq.tasks"  # the group in which distributions name modules with tasks

_BELOW = ".*"


class Modules:
    """The names of modules, `shop.mails`, and of packages with all that is below them, `shop.*`."""

    def __init__(self, names: Sequence[str], entry_points: Sequence[str]) -> None:
        self._names: list[str] = list(names)
        self._entry_points = entry_points  # those whose modules are not known yet
        self._imported: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._names or self._entry_points)

    def add(self, names: Sequence[str]) -> None:
        """Take modules that code names. Raises UsageError for what names none."""
        for name in names:
            if not isinstance(name, str) or not is_module_name(name):
                raise UsageError(
                    f'include({name!r}): must be the dotted name of a module, such as "shop.mails", or a package with '
                    f'all that is below it, "shop.*"'
                )
            self._names.append(name)

    def may_have(self, task: Task[..., Any]) -> bool:
        """Tell whether a task is of one of these modules. Those of entry points that nobody has read may be any."""
        return bool(self._entry_points) or self._covers(module_name(task.function.__module__))

    def import_all(self) -> None:
        """Import every module that was not yet. Raises ConfigError for one that is not there; its own errors pass."""
        self._read_entry_points()
        for name in [name for name in self._names if name not in self._imported]:
            self._import_one(name)
            self._imported.add(name)

    def import_for(self, task: str) -> bool:
        """Import the module of a task by the name of that, if it is one of these; tell whether it was."""
        self._read_entry_points()
        module, _, _ = task.rpartition(".")
        while self._covers(module) and not _is_there(module):
            module = module.rpartition(".")[0]  # `shop.mails.Mailer.send` is in shop.mails
        if not self._covers(module):  # what messages name is imported only below what the project names
            return False
        _import(module)
        return True

    def _covers(self, module: str) -> bool:
        return any(f"{module}.".startswith(f"{name.removesuffix(_BELOW)}.") for name in self._names)

    def _import_one(self, name: str) -> None:
        package = _imported(name.removesuffix(_BELOW), name)
        if name.endswith(_BELOW):
            for below in _below(package):
                _import(below)

    def _read_entry_points(self) -> None:
        if not self._entry_points:
            return
        from importlib.metadata import entry_points  # 33 ms

        found = {one.name: one.module for one in entry_points(group=ENTRY_POINTS)}
        for name in self._entry_points:
            if name not in found:
                raise ConfigError(
                    f"entry_points: {name!r}: no installed distribution has an entry point of that name in the group "
                    f"{ENTRY_POINTS}; there are {', '.join(sorted(found)) or 'none'}"
                )
        self._names += [found[name] for name in self._entry_points]
        self._entry_points = ()


def missing_line(task: Task[..., Any]) -> str:
    """Say how an app gets a task that it does not have."""
    module = module_name(task.function.__module__)
    return (
        f"{task.name} is no task of this App, so its consumers would not find it: write app.include({module!r}) behind "
        f"app = App(...), or modules = [{module!r}] in cronq.toml"
    )


def _imported(module: str, written: str) -> ModuleType:
    try:
        return _import(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(f"modules: {written!r}: there is no module {error.name!r}") from error


def _import(module: str) -> ModuleType:
    """Import a module. Raises ConfigError for a program that ends: a web server's process must not end with it."""
    import importlib

    try:
        return importlib.import_module(module)
    except SystemExit as error:
        raise ConfigError(
            f"modules: {module!r} is a program, which ended with {error.code!r} when it was imported: put what it does "
            f'below `if __name__ == "__main__":`, or name the modules that have tasks one by one'
        ) from error


def _below(package: ModuleType) -> Iterator[str]:
    """Yield the modules of a package, all the way down; `__main__` is a program."""

    import pkgutil

    def failed(name: str) -> None:
        raise  # noqa: PLE0704 - what importing a package on the way has raised: pkgutil would swallow it

    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}.", failed):
        if not found.name.endswith(".__main__"):
            yield found.name


def _is_there(module: str) -> bool:
    import importlib.util

    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what is above it is no package
        return False
