"""cronq check: is the configuration right, and does what it names exist?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from cronq.cli.checks import Error, Fact, Warning, environment
from cronq.cli.common import config_option, json_option, print_json, settings_of
from cronq.cli.words import columns, red, yellow
from cronq.config.advice import warnings
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    try:
        settings = settings_of(context)
    except ConfigError as error:
        path, findings = context.obj, [Error(problem) for problem in error.problems]
    else:
        path, findings = settings.path, list(_all(settings))
    show = _show_json if as_json else _show
    show(path, findings)
    return 2 if _texts(findings, Error) else 0


def _all(settings: Settings) -> Sequence[Finding]:
    if settings.path is None:
        missing = [Warning(f"there is no cronq.toml in {os.getcwd()}: defaults hold; `cronq init` writes one")]
    else:
        missing = []
    return [*missing, *map(Warning, warnings(settings)), *environment(settings)]


def _show(path: str | None, findings: Sequence[Finding]) -> None:
    rows = [("cronq.toml", path), *(one for one in findings if isinstance(one, Fact))]
    for line in columns([(what, text) for what, text in rows if text]):
        click.echo(line)
    for text in _texts(findings, Warning):
        click.echo(yellow(f"warning: {text}"))
    errors = _texts(findings, Error)
    for text in errors:
        click.echo(red(f"error: {text}"))
    if not errors:
        click.echo("configuration is fine")


def _show_json(path: str | None, findings: Sequence[Finding]) -> None:
    facts = {one.what: one.text for one in findings if isinstance(one, Fact)}
    errors, warned = _texts(findings, Error), _texts(findings, Warning)
    print_json({"config": path, "fine": not errors, "found": facts, "warnings": warned, "errors": errors})


def _texts(findings: Sequence[Finding], kind: type[Error | Warning]) -> list[str]:
    return [one.text for one in findings if isinstance(one, kind)]
