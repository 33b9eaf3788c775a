"""Dependencies with known holes: `python -m tests.reliability.dependencies [DATABASE ...]`.

Looks at what is installed of all that cronq and its extras need, down to the last, and at the oldest versions that
pyproject.toml allows. DATABASE is a directory of advisories (https://github.com/pypa/advisory-database; needs PyYAML)
or an `insecure.json` or `insecure_full.json` (https://github.com/pyupio/safety-db), for machines that reach no service;
without one pip-audit is run, which asks a service. Exits with 1 when a version that is installed has a known hole.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

CRONQ = "cronq-toolkit"


class Advisory(NamedTuple):
    """One known hole: which versions of which package have it."""

    name: str
    id: str
    versions: frozenset[str] = frozenset()
    ranges: tuple[SpecifierSet, ...] = ()

    def is_about(self, version: Version) -> bool:
        return str(version) in self.versions or any(one.contains(version, prereleases=True) for one in self.ranges)


def main(paths: Sequence[str]) -> int:
    """Look into every database, or ask pip-audit, and return the exit code."""
    present = installed()
    print(f"{len(present)} packages installed: {', '.join(f'{name} {one}' for name, one in sorted(present.items()))}")
    if not paths:
        return subprocess.run([sys.executable, "-m", "pip_audit", "--local"], check=False).returncode
    found = 0
    for path in paths:
        advisories = list(read(Path(path), present.keys()))
        names = {one.name for one in advisories}
        print(f"{path}: {len(advisories)} advisories about {len(names)} of these packages")
        found += report(present.items(), advisories, "has a known hole")
        report(oldest_allowed(), advisories, "is allowed and has a known hole")
    return int(found > 0)


def report(versions: Iterable[tuple[str, Version]], advisories: Sequence[Advisory], what: str) -> int:
    """Print what is known of some versions; return of how many packages."""
    found = 0
    for name, version in versions:
        ids = sorted(one.id for one in advisories if one.name == name and one.is_about(version))
        if ids:
            found += 1
            print(f"{name} {version} {what}: {', '.join(ids)}")
    return found


def installed() -> dict[str, Version]:
    """Return the version of everything that cronq and its extras need and that is installed here."""
    found: dict[str, Version] = {}
    extras = metadata.metadata(CRONQ).get_all("Provides-Extra") or []
    left = [Requirement(f"{CRONQ}[{','.join(extras)}]")]
    seen = set()
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            found[name] = Version(metadata.version(name))
        except metadata.PackageNotFoundError:
            continue
        left += _needed(name, wanted.extras)
    del found[CRONQ]
    return found


def oldest_allowed() -> Iterator[tuple[str, Version]]:
    """Return the lower bounds in pyproject.toml of what everybody installs."""
    for wanted in _needed(CRONQ, set()):
        for bound in wanted.specifier:
            if bound.operator == ">=":
                yield canonicalize_name(wanted.name), Version(bound.version)


def read(path: Path, names: Collection[str]) -> Iterator[Advisory]:
    """Return what a database of either form has about packages of these names."""
    if path.is_dir():
        for file in path.rglob("PYSEC-*.yaml"):
            if canonicalize_name(file.parent.name) in names:
                yield from _of_pypa(file)
        return
    for name, holes in json.loads(path.read_text()).items():
        if canonicalize_name(name) in names:
            yield from (_of_safety(name, hole) for hole in holes)


def _needed(name: str, extras: Iterable[str]) -> list[Requirement]:
    requirements = map(Requirement, metadata.requires(name) or [])
    environments = [{"extra": extra} for extra in (*extras, "")]
    return [one for one in requirements if one.marker is None or any(map(one.marker.evaluate, environments))]


def _of_safety(name: str, hole: str | dict[str, Any]) -> Advisory:
    if isinstance(hole, str):
        return Advisory(canonicalize_name(name), hole, ranges=(SpecifierSet(hole),))
    specs = tuple(map(SpecifierSet, hole["specs"]))
    return Advisory(canonicalize_name(name), str(hole.get("cve") or hole["id"]), ranges=specs)


def _of_pypa(file: Path) -> Iterator[Advisory]:
    import yaml

    told = yaml.safe_load(file.read_text())
    if "withdrawn" in told:
        return
    for affected in told["affected"]:
        versions = frozenset(filter(None, map(_normal, affected.get("versions") or ())))
        ranges = [one for one in affected.get("ranges", ()) if one["type"] == "ECOSYSTEM"]
        specs = tuple(spec for one in ranges for spec in _ranges(one["events"]))
        yield Advisory(canonicalize_name(affected["package"]["name"]), told["id"], versions, specs)


def _normal(version: str) -> str | None:
    try:
        return str(Version(version))
    except InvalidVersion:  # of before PEP 440
        return None


def _ranges(events: Sequence[dict[str, str]]) -> Iterator[SpecifierSet]:
    """Return OSV's events, each a beginning or an end, as ranges."""
    since = None
    for event in events:
        if "introduced" in event:
            since = event["introduced"]
        elif since is not None:
            until = f"<{event['fixed']}" if "fixed" in event else f"<={event['last_affected']}"
            yield SpecifierSet(until if since == "0" else f">={since},{until}")
            since = None
    if since is not None:
        yield SpecifierSet("" if since == "0" else f">={since}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
