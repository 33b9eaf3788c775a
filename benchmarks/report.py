"""Writes `docs/performance.md` and its pictures from what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.plots import svg

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.figures import Section, Table, Target

INTRODUCTION = """# Performance

Written by `python -m benchmarks` (see [benchmarks](../benchmarks/README.md)), which measures cronq and its peers side
by side, in turns, in one run on one machine. Figures are medians with (lowest-highest). They hold for the machine below
and compare what ran on it; run it on yours.
"""
TARGETS = """Those with a unit were set on a machine where `python -c pass` takes 9 ms and a synced INSERT 0.16 ms;
where these take twice as long, so does the rest. The others are ratios within this run."""


def write(sections: Sequence[Section], machine: Sequence[str], path: Path) -> None:
    """Write the report at `path`, its pictures into a directory of the same name beside it."""
    pictures = path.with_suffix("")
    pictures.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for plot in section.plots:
            (pictures / f"{plot.name}.svg").write_text(svg(plot))
    path.write_text(render(sections, machine, pictures.name))


def render(sections: Sequence[Section], machine: Sequence[str], pictures: str) -> str:
    """Return the report as Markdown."""
    parts = [INTRODUCTION, "\n".join(f"- {line}" for line in machine)]
    targets = [target for section in sections for target in section.targets]
    if targets:
        parts += ["## Targets", TARGETS, _targets(targets)]
    for section in sections:
        parts += [f"## {section.title}", section.how]
        parts += [f"![{plot.title}]({pictures}/{plot.name}.svg)" for plot in section.plots]
        parts += [table(one) for one in section.tables]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def table(given: Table) -> str:
    """Return a table as Markdown."""
    rows = [given.header, ["---"] * len(given.header), *given.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _targets(targets: Sequence[Target]) -> str:
    from benchmarks.figures import Table

    rows = [[target.about, target.measured, target.bound, "yes" if target.is_met else "**no**"] for target in targets]
    return table(Table(["what", "measured", "target", "met"], rows))
