"""A minute of everything at once; half an hour of it by hand: `python -m tests.reliability.chaos 1800 20000`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

NEEDED = ("unshare", "mount", "setpriv", "prlimit", "gcc")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk of its own and be another user"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}"),
]


def test_in_chaos_every_message_ends_and_none_is_run_by_two_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.chaos", "60", "2400"],
        check=False,
        capture_output=True,
        text=True,
        timeout=2400,
    )
    print(done.stdout)

    assert done.returncode == 0, done.stdout + done.stderr
    returned = re.search(r"(\d+) returned", done.stdout)
    assert returned is not None
    assert int(returned[1]) == 2400
