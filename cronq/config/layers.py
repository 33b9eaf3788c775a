"""The layers of a configuration: the file, under its [env.NAME], under the CRONQ_ variables.

Each layer is checked on its own, so that a complaint names where the value was written; then they are merged.
"""

from __future__ import annotations

from cronq.config.complaint_words import key, show
from cronq.config.file import read
from cronq.config.keys import FILE
from cronq.config.nodes import Spot
from cronq.config.variables import overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Tree = dict[str, Any]
    Layer = tuple[Spot, Tree]

VARIABLE = "CRONQ_ENV"


def stack(path: str | None, environ: Mapping[str, str], problems: list[str]) -> list[Layer]:
    """Return the layers, the strongest last; what is wrong in them goes to `problems`."""
    layers = _file_layers(path, environ.get(VARIABLE) or None, problems)
    return layers + overrides(environ, merged(layers), problems)


def merged(layers: list[Layer]) -> Tree:
    """Return all layers as one tree: tables grow together, everything else is replaced."""
    tree: Tree = {}
    for _, over in layers:
        tree = merge(tree, over)
    return tree


def merge(under: Tree, over: Tree) -> Tree:
    """Return `under` with `over` laid upon it; neither is changed."""
    tree = dict(under)
    for name, value in over.items():
        below = tree.get(name)
        tree[name] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return tree


def spot_of(layers: list[Layer], *path: str) -> Spot:
    """Return where the value at `path`, which is in the merged tree, was written: the strongest layer that has it."""
    return next(spot for spot, tree in reversed(layers) if _holds(tree, path)).key(*path)


def _holds(tree: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _file_layers(path: str | None, env: str | None, problems: list[str]) -> list[Layer]:
    if path is None:
        return _refuse_env(env, "there is no configuration file, so no [env.*] table", problems) if env else []
    spot = Spot(path)
    tree = FILE.read(read(path), spot, problems)
    envs = tree.pop("env", {})
    if not env:
        return [(spot, tree)]
    return [(spot, tree), *_env_layer(path, env, envs, problems)]


def _env_layer(path: str, env: str, envs: Any, problems: list[str]) -> list[Layer]:
    if not isinstance(envs, dict):
        return []
    if not envs:
        return _refuse_env(env, f"{path} has no [env.*] table; add [env.{env}] or unset {VARIABLE}", problems)
    if env not in envs:
        known = ", ".join(map(key, sorted(envs)))
        return _refuse_env(env, f"must be one of the [env.*] tables of {path}: {known}", problems)
    return [(Spot(path, f"env.{env}"), envs[env])] if isinstance(envs[env], dict) else []


def _refuse_env(env: str, why: str, problems: list[str]) -> list[Layer]:
    problems.append(f"{VARIABLE} = {show(env)}: {why}")
    return []
