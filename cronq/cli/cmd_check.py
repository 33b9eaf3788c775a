"""cronq check: is the configuration right, and does what it names exist?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cronq.cli.checks import Error, Fact, Warned, environment
from cronq.cli.common import config_option, json_option, print_json, settings_of
from cronq.cli.text import columns, print_lines, red, say, yellow
from cronq.config.advice import warnings
from cronq.config.complaint_words import no_file
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.cli.checks import Finding
    from cronq.config.settings import Settings


@click.command("check")
@json_option
@config_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> int:
    """Check the configuration, and that everything it names is there and works.

    Exits with 2 when something cannot work, and with 0 when there are warnings only.

    Example: cronq check --config /home/ada/shop/cronq.toml
    """
    path, findings = _check(context)
    show = _show_json if as_json else _show
    show(path, findings)
    return 2 if _texts(findings, Error) else 0


def _check(context: click.Context) -> tuple[str | None, Sequence[Finding]]:
    try:
        settings = settings_of(context)
    except ConfigError as error:
        return context.obj, [Error(problem) for problem in error.problems]
    return settings.path, list(dict.fromkeys(_all(settings)))


def _all(settings: Settings) -> Iterator[Finding]:
    if settings.path is None and settings.app is None:
        yield Error(no_file(settings.base_dir))
        return
    if settings.path is None:
        yield Warned(f"there is no cronq.toml in {settings.base_dir}: defaults hold; `cronq init` writes one")
    yield from map(Warned, warnings(settings))
    yield from environment(settings)


def _show(path: str | None, findings: Sequence[Finding]) -> None:
    rows = [("cronq.toml", path), *(one for one in findings if isinstance(one, Fact))]
    print_lines(columns([(what, text) for what, text in rows if text]))
    for text in _texts(findings, Warned):
        print_lines([yellow(f"warning: {text}")])
    errors = _texts(findings, Error)
    for text in errors:
        print_lines([red(f"error: {text}")])
    if not errors:
        say("configuration is fine")


def _show_json(path: str | None, findings: Sequence[Finding]) -> None:
    facts = {one.what: one.text for one in findings if isinstance(one, Fact)}
    errors, warned = _texts(findings, Error), _texts(findings, Warned)
    print_json({"config": path, "fine": not errors, "found": facts, "warnings": warned, "errors": errors})


def _texts(findings: Sequence[Finding], kind: type[Error | Warned]) -> list[str]:
    return [one.text for one in findings if isinstance(one, kind)]
