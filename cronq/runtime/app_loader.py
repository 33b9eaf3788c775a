"""Finding the App that `app = "shop.tasks:app"` names."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from cronq.app.application import App
from cronq.config.complaint_words import no_file
from cronq.config.of_app import handed
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from cronq.config.settings import Settings


def load_app(settings: Settings) -> App:
    """Import the project's App, which works by `settings`. The directory of the configuration file is on sys.path.

    Raises ConfigError when `app` does not name one, or one that has its queues elsewhere; what the project's own code
    raises while it is imported, passes.
    """
    if settings.app is None and settings.path is None:
        raise ConfigError(no_file(settings.base_dir))
    if settings.app is None:
        raise ConfigError(
            f"{settings.path}: app: is not set: name the module and variable of your App, "
            f'for example app = "shop.tasks:app"'
        )
    if settings.base_dir not in sys.path:
        sys.path.insert(0, settings.base_dir)
    module_name, _, attribute = settings.app.partition(":")
    try:
        with handed(settings):
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"{settings.path}: app = {settings.app!r}: no module {error.name!r} in {settings.base_dir} or installed"
        ) from error
    found = getattr(module, attribute, None)
    if not isinstance(found, App):
        raise ConfigError(
            f"{settings.path}: app = {settings.app!r}: {attribute!r} in {module.__file__} is not a cronq App"
        )
    _refuse_other_queues(settings, found.settings)
    return found


def _refuse_other_queues(settings: Settings, of_app: Settings) -> None:
    """Refuse an App whose messages nobody would look for: it was made with another configuration in its code."""
    if _queues(of_app) != _queues(settings):
        raise ConfigError(
            f"{settings.path}: app = {settings.app!r}: that App has its queues in {_queues(of_app)[0]} (configured by "
            f"{of_app.path or 'no file'}), and this file in {_queues(settings)[0]}: make it with "
            f'App.from_config("cronq.toml"), which takes the file that a command is given'
        )


def _queues(settings: Settings) -> tuple[str, str, str]:
    return settings.state_dir, settings.transport, settings.queue_prefix
