from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.making import app as make_app
from wsgi_hooks import CronqMiddleware


@pytest.fixture
def app():
    return make_app()


def ask(app, site):
    return CronqMiddleware(site, app)({"PATH_INFO": "/x"}, lambda status, headers: None)


def around(app, steps, name):
    @app.around_request
    @contextmanager
    def step(environ):
        steps.append(f"{name} in {environ['PATH_INFO']}")
        try:
            yield
        finally:
            steps.append(f"{name} out")


def test_requests_run_inside_what_was_registered_in_that_order(app):
    steps: list[str] = []
    around(app, steps, "first")
    around(app, steps, "second")

    def site(environ, start_response):
        steps.append("site")
        start_response("200 OK", [])
        return [b"x"]

    assert b"".join(ask(app, site)) == b"x"
    assert steps == ["first in /x", "second in /x", "site", "second out", "first out"]


def test_an_exception_passes_and_everything_is_left(app):
    steps: list[str] = []
    around(app, steps, "only")

    def site(environ, start_response):
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        ask(app, site)
    assert steps == ["only in /x", "only out"]
