"""Loading the configuration. Every minutely tick does this: nothing is imported here that it can do without."""

from __future__ import annotations

import os

from cronq.config.builder import build
from cronq.config.file import find, working_dir
from cronq.config.layers import merged, stack
from cronq.config.rules import complaints
from cronq.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.config.settings import Settings


def load(path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the whole configuration, checked.

    The file is `path`, else the one CRONQ_CONFIG names, else cronq.toml in the working directory (never in one
    above), else none: then the defaults hold and paths start at the working directory. The `[env.NAME]` that
    CRONQ_ENV names lies over the file, and CRONQ_ variables (CRONQ_INLINE_MODE=off) lie over both.
    `environ` stands in for `os.environ`.

    Raises:
        ConfigError: something is wrong; `problems` names everything at once, with file, key and what would be right.

    """
    environ = os.environ if environ is None else environ
    found = find(path, environ)
    problems: list[str] = []
    layers = stack(found, environ, problems)
    tree = merged(layers)
    problems.extend(complaints(tree, layers))
    if problems:
        raise ConfigError(*problems)
    return build(tree, found, os.path.dirname(found) if found else working_dir())
