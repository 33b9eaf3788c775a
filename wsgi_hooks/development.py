"""Whether this is a developer's machine, and what the middleware does after a response there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cronq.interruptions import is_interruption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.app import App


def is_development(app: App, application: object) -> bool:
    """Tell whether work is to be done in the open: as the configuration or the App says, else as the framework says.

    Django's is asked when the project has imported it and set it up, Flask's when it is what the middleware wraps.
    """
    said = app.settings.dev
    return said if isinstance(said, bool) else _django_debugs() or _flask_debugs(application)


def _django_debugs() -> bool:
    django = sys.modules.get("django.conf")
    settings = getattr(django, "settings", None)
    return bool(getattr(settings, "configured", False) and getattr(settings, "DEBUG", False))


def _flask_debugs(application: object) -> bool:
    """Tell whether a Flask application, or the `wsgi_app` of one, is in debug mode."""
    flask = sys.modules.get("flask")
    wrapped = getattr(application, "__self__", application)
    return flask is not None and isinstance(wrapped, flask.Flask) and bool(wrapped.debug)


def work_after(app: App, environ: Mapping[str, Any]) -> None:
    """Run everything that is ready in this process. What fails is told on the terminal, and goes no further."""
    from cronq.runtime.open_drain import work_in_the_open
    from wsgi_hooks.drain import listen
    from wsgi_hooks.servers import server_of

    try:
        app.state.prepare()
        listen(app)
        server_of(environ).finish(environ)
        work_in_the_open(app)
    except BaseException as error:
        if is_interruption(error):  # Ctrl-C, or the server's reloader
            raise
        sys.excepthook(type(error), error, error.__traceback__)
