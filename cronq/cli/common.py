"""What several commands share: options, JSON output, and opening the configured project."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cronq.config import load
from cronq.config.complaint_words import no_file
from cronq.config.durations import parse_duration
from cronq.errors import ConfigError, CronqError, UsageError
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cronq.app import App
    from cronq.config.settings import Settings

F = TypeVar("F", bound="Callable[..., Any] | click.Command")


def duration(text: object) -> float:
    """Read an option such as `90`, `90s`, `10m` or `PT10M` as seconds; click shows the name of this as its type."""
    try:
        return parse_duration(str(text))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


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


def configured(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command that takes `--config`. It receives the context, of which `settings_of` knows what was given."""
    return lambda function: config_option(click.command(name)(click.pass_context(function)))


def settings_of(context: click.Context) -> Settings:
    return load(context.obj or None)


def settings_with_file(context: click.Context) -> Settings:
    """Return the settings of a file that exists. Raises UsageError when there is none: defaults will not do."""
    settings = settings_of(context)
    if settings.path is None:
        raise UsageError(no_file(settings.base_dir))
    return settings


def app_of(settings: Settings) -> App:
    """Return the project's App, imported as consumers import it; what it prints meanwhile goes to stderr.

    Raises ConfigError when the import fails, with the line of the project where it did.
    """
    from cronq.runtime.app_loader import load_app

    with importing(settings):
        return load_app(settings)


def whole_app_of(settings: Settings) -> App:
    """As `app_of`, with all modules imported whose tasks belong to it."""
    app = app_of(settings)
    with importing(settings):
        app.definitions.complete()
    return app


@contextmanager
def importing(settings: Settings) -> Iterator[None]:
    """Import something of the project: what it prints goes to stderr, what it raises becomes a ConfigError."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except CronqError:
        raise
    except BaseException as error:
        from cronq.interruptions import is_interruption

        if is_interruption(error):
            raise
        said = escaped(f"{type(error).__name__}: {error}{_place(error)}")
        raise ConfigError(f"{settings.path}: app = {settings.app!r}: importing it failed: {said}") from error


def bare_app(settings: Settings) -> App:
    """Return an App with no tasks: enough to look at queues without importing the project."""
    from cronq.app import App

    return App(settings)


def known_queues(settings: Settings) -> list[str]:
    """Return every queue that the configuration names, the most important first."""
    served = [queue for group in settings.groups for queue in group.queues]
    return list(dict.fromkeys([*served, *settings.inline.queues, *settings.queues]))


def refuse_unknown(word: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise UsageError for a name that is not among those known, which are queues or whatever `word` says."""
    known = list(known)
    for name in given:
        if name not in known:
            there = escaped(", ".join(known)) or "none yet"
            raise UsageError(f"{word} {name!r}: there is none of that name; there are {there}")


def _place(error: BaseException) -> str:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return ""  # its text names the line already
    return f" ({os.path.relpath(frames[-1].filename)}, line {frames[-1].lineno})"
