"""cronq check: is the configuration right, and does what it names exist?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.cli.answer import Answer, Tell, json_option
from cronq.cli.checks import environment
from cronq.cli.common import configured, settings_of
from cronq.cli.findings import Error, Fact, Warned
from cronq.cli.text import columns, paragraph, red, yellow
from cronq.config.advice import warnings
from cronq.config.complaint_words import no_file
from cronq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import click

    from cronq.cli.findings import Finding
    from cronq.config.settings import Settings


@configured("check")
@json_option
def command(context: click.Context, tell: Tell) -> int:
    """Check the configuration, and that everything it names is there and works.

    Exits with 2 when something cannot work, and with 0 when there are warnings only.

    Example: cronq check --config /home/ada/shop/cronq.toml
    """
    path, findings = _check(context)
    tell(Answer(lambda: _lines(path, findings), lambda: _data(path, findings)))
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


def _lines(path: str | None, findings: Sequence[Finding]) -> Iterator[str]:
    rows = [("cronq.toml", path), *(one for one in findings if isinstance(one, Fact))]
    yield from columns([(what, text) for what, text in rows if text])
    yield from (yellow(line) for text in _texts(findings, Warned) for line in paragraph(f"warning: {text}"))
    errors = _texts(findings, Error)
    yield from (red(line) for text in errors for line in paragraph(f"error: {text}"))
    if not errors:
        yield "configuration is fine"


def _data(path: str | None, findings: Sequence[Finding]) -> dict[str, Any]:
    facts = {one.what: one.text for one in findings if isinstance(one, Fact)}
    errors, warned = _texts(findings, Error), _texts(findings, Warned)
    return {"config": path, "fine": not errors, "found": facts, "warnings": warned, "errors": errors}


def _texts(findings: Sequence[Finding], kind: type[Error | Warned]) -> list[str]:
    return [one.text for one in findings if isinstance(one, kind)]
