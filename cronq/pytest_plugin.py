"""Fixtures for the tests of projects: `cronq_box`, `cronq_queue`. pytest loads this file with every run, so it imports
pytest alone.

A project whose app is not the one that its cronq.toml names overrides `cronq_app` in its conftest.py.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cronq.app import App
    from cronq.testing.box import Box
    from cronq.testing.real_queue import RealQueue


@pytest.fixture(scope="session")
def cronq_app(pytestconfig: pytest.Config) -> App:
    """The app that `app = "module:variable"` names in cronq.toml: CRONQ_CONFIG's, else the one in pytest's rootdir."""
    from cronq.config import load
    from cronq.runtime.app_loader import load_app

    return load_app(load(os.environ.get("CRONQ_CONFIG") or pytestconfig.rootpath / "cronq.toml"))


@pytest.fixture
def cronq_box(cronq_app: App) -> Iterator[Box]:
    """A box: what the code under test enqueues stays in it, until the test says `cronq_box.run_all()`."""
    with cronq_app.testing() as box:
        yield box


@pytest.fixture
def cronq_queue(cronq_app: App, tmp_path: Path) -> Iterator[RealQueue]:
    """A real queue in `tmp_path`: what is enqueued waits there until the test says `cronq_queue.drain()`."""
    from cronq.testing.real_queue import RealQueue

    with RealQueue(cronq_app.installation, str(tmp_path / ".cronq")) as queue:
        yield queue
