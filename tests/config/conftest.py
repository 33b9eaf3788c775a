"""Fixtures that write a cronq.toml and load it with an environment of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.config import load
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cronq.config import Settings

    Loading = Callable[..., Settings]
    Refusing = Callable[..., tuple[str, ...]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cronq.toml"


@pytest.fixture
def loaded(file: Path) -> Loading:
    """Write `text`, load it with the given variables, return the Settings."""

    def loaded(text: str = "", **environ: str) -> Settings:
        file.write_text(text)
        return load(str(file), environ)

    return loaded


@pytest.fixture
def refused(loaded: Loading) -> Refusing:
    """Write `text`, load it with the given variables, return the problems."""

    def refused(text: str = "", **environ: str) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            loaded(text, **environ)
        return caught.value.problems

    return refused
