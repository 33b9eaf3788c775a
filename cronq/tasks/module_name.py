"""One name for what a module holds, whether the module is run (`python -m proj`) or imported (`proj.__main__`)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MAIN = "__main__"


def full_name(thing: type | Callable[..., object]) -> str:
    """Return the dotted name of a class or function, `shop.tasks.send_mail`."""
    return f"{module_name(thing.__module__)}.{thing.__qualname__}"


def module_name(module: str) -> str:
    """Return the name under which a module is known: a package for its `__main__`, a script as it is imported."""
    if module != _MAIN:
        return module.removesuffix(f".{_MAIN}")
    main = sys.modules[_MAIN]
    spec = main.__spec__
    if spec is not None and spec.name != _MAIN:
        return spec.name.removesuffix(f".{_MAIN}")
    *folders, file = str(getattr(main, "__file__", None) or _MAIN).split("/")
    name = file.removesuffix(".py")
    if name != _MAIN or not getattr(main, "__file__", None):
        return name
    return folders[-1] if folders and folders[-1] else _folder_here()  # `python proj`, `python __main__.py`


def settled(name: str) -> str:
    """Return a dotted name that somebody wrote as `full_name` writes it."""
    if name.startswith(f"{_MAIN}."):
        return module_name(_MAIN) + name.removeprefix(_MAIN)
    return name.replace(f".{_MAIN}.", ".")


def _folder_here() -> str:
    import os

    return os.path.basename(os.getcwd()) or _MAIN
