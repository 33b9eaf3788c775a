"""What `cronq check` looks at in the project: its App, and that what the configuration names is there."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from cronq.cli.common import known_queues, whole_app_of
from cronq.cli.findings import Error, Fact, Warned
from cronq.cli.text import count
from cronq.config.advice import development
from cronq.errors import CronqError
from cronq.tasks.module_name import settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.app import App
    from cronq.cli.findings import Finding
    from cronq.config.settings import Settings


def project(settings: Settings) -> Iterator[Finding]:
    """Import the project and return what is found in it. Raises ConfigError when that fails."""
    app = whole_app_of(settings)
    tasks = list(app.registry)
    yield Fact("app", f"{settings.app}, {count(len(tasks), 'task')}")
    if not tasks:
        yield Warned(f"app = {settings.app!r}: has no tasks: import the modules with your @app.task functions there")
    if app.settings.dev is True and settings.dev is not True:
        yield from map(Warned, development(app.settings))
    yield from _unknown_tasks(settings, app)
    yield from _routes(settings, app)
    yield from _lonely_tasks(settings, app)
    yield from _schedules(app)
    yield from _webhooks(app)


def _unknown_tasks(settings: Settings, app: App) -> Iterator[Finding]:
    """Say which line is missing for tasks that consumers will not know."""
    from cronq.app.modules import missing_line
    from cronq.app.shared_tasks import SHARED
    from cronq.cli.unimported_modules import unimported

    for one in unimported(app, settings.base_dir):
        yield Warned(
            f"{one.path}: makes tasks that consumers do not know, since {settings.app} does not import it: "
            f"modules = [{one.module!r}] in {settings.path} does"
        )
    left_out = {task.function.__module__: task for task in SHARED.registry if task not in app.registry}
    yield from (Warned(missing_line(task)) for task in left_out.values())


def _routes(settings: Settings, app: App) -> Iterator[Finding]:
    tasks = {task.name for task in app.registry}
    for dotted in settings.routing:
        if settled(dotted) in tasks:
            continue
        module, _, name = dotted.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ImportError as error:
            yield Error(f"routing.{dotted!r}: {error}")
        else:
            if not isinstance(found, type):
                yield Error(f"routing.{dotted!r}: there is no class or task {name} in {module}")


def _lonely_tasks(settings: Settings, app: App) -> Iterator[Finding]:
    """A queue that nobody serves refuses messages: better told now than at the first enqueue."""
    if settings.groups:
        known = known_queues(settings)
        wanted = [(task.name, queue) for task in app.registry for queue in app.definitions.queues_of(task)]
        for task, queue in wanted:
            if queue not in known:
                yield Error(
                    f"task {task}: its queue {queue!r} is served by no group of [[consumers]]; "
                    f"there are {', '.join(known)}"
                )


def _schedules(app: App) -> Iterator[Finding]:
    found = app.declarations.entries()
    if found:
        yield Fact("schedules", ", ".join(one.name for one in found))
    yield from (Error(one.refused) for one in found if one.refused is not None)


def _webhooks(app: App) -> Iterator[Finding]:
    """Say where each webhook's secret is, which is made now if need be: the receiver wants it before the first post."""
    for webhook in app.settings.webhooks:
        from cronq.webhook.signing_secret import secret_path, secrets_of

        try:
            secrets_of(app.state, webhook)
            yield Fact(f"webhook {webhook.name}", f"secret in {secret_path(app.state, webhook)}")
        except CronqError as error:
            yield Error(f"webhooks.{webhook.name}.secret_file: {error}")
        for task in webhook.tasks:
            try:
                app.definitions.find(task)
            except CronqError as error:
                yield Error(f"webhooks.{webhook.name}.tasks: {error}")
