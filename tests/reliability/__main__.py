"""Runs everything in full and writes the figures into docs/reliability.md: `python -m tests.reliability [PART ...]`.

About two hours on two cores, as root. `--from FILE PART` takes the output of an earlier run instead.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
PYTEST = ("-m", "pytest", "-q", "-s", "-m", "slow")


class Part(NamedTuple):
    """What is run, with what in its environment, and which lines of its output are figures."""

    words: tuple[str, ...]
    figures: str
    environ: tuple[tuple[str, str], ...] = ()


PARTS = {
    "sweep": Part(("-m", "tests.reliability.sweep"), r"^role +syscall| all +\d"),
    "upgrade": Part((*PYTEST, "tests/upgrade"), r"^role +syscall| all +\d", (("CRONQ_SWEEP", "full"),)),
    "powercut": Part(("-m", "tests.reliability.powercut"), r"^(WAL|TRUNCATE):"),
    "chaos": Part(("-m", "tests.reliability.chaos", "1800", "20000"), r" kills,| asked:"),
    "load": Part(
        (*PYTEST, "tests/reliability/test_load.py"), r" ms|computing|tidy-up|sizes", (("CRONQ_LOAD", "1000000"),)
    ),
    "leaks": Part((*PYTEST, "tests/reliability/test_leaks.py"), r"memory MB", (("CRONQ_LEAKS", "200000"),)),
    "waits": Part(("-m", "tests.reliability.waits", "3"), r" s$|^the last|only started"),
    "delays": Part(("-m", "tests.reliability.delays"), r" s$|^the consumer stands"),
    "fuzz": Part(("-m", "tests.reliability.fuzz", "600"), r" inputs|^Done"),
}


def main(names: list[str]) -> int:
    """Run the parts named, or all; a part that fails leaves its figures as they were."""
    failed = []
    for name in names or PARTS:
        part = PARTS[name]
        print(f"--- {name}", flush=True)
        done = subprocess.run(
            (sys.executable, *part.words),
            env={**os.environ, **dict(part.environ)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout)
        if done.returncode:
            failed.append(name)
        else:
            put(name, done.stdout)
    print(f"failed: {', '.join(failed)}" if failed else f"all is well: {PAGE}")
    return int(bool(failed))


def put(name: str, output: str) -> None:
    """Replace the figures of a part on the page."""
    lines = [line.lstrip(".") for line in output.splitlines() if re.search(PARTS[name].figures, line)]
    each_once = dict.fromkeys(lines)  # several tables have one heading
    block = "\n".join([f"<!-- {name} -->", "```text", *each_once, "```", "<!-- end -->"])
    text = PAGE.read_text()
    PAGE.write_text(re.sub(rf"<!-- {name} -->.*?<!-- end -->", lambda _: block, text, flags=re.DOTALL))


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--from"]:
        put(given[2], Path(given[1]).read_text())
        sys.exit(0)
    sys.exit(main(given))
