"""What several commands share: the --config option, JSON output, and opening the configured project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cronq.config import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app import App
    from cronq.config.settings import Settings

F = TypeVar("F", bound="Callable[..., Any]")


def config_option(function: F) -> F:
    """Add `--config` to a command, where people put it as often as before the command."""

    def keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.ensure_object(str)
            context.obj = value

    return click.option(
        "--config",
        type=click.Path(dir_okay=False),
        expose_value=False,
        callback=keep,
        help="The configuration file (default: $CRONQ_CONFIG, else ./cronq.toml).",
    )(function)


def json_option(function: F) -> F:
    """Add `--json` to a command that prints data."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(function)


def settings_of(context: click.Context) -> Settings:
    return load(context.obj or None)


def app_of(settings: Settings) -> App:
    """Return the project's App, imported as consumers import it."""
    from cronq.app.loading import load_app

    return load_app(settings)


def bare_app(settings: Settings) -> App:
    """Return an App with no tasks: enough to look at queues without importing the project."""
    from cronq.app import App

    return App(settings)


def print_json(data: object) -> None:
    click.echo(json.dumps(data, indent=2, default=str))
