"""Whether this process may leave a consumer behind. Cron's ticks always may: that is what they are for."""

from __future__ import annotations

import os
import sys

from cronq.host.process import HAS_CONSUMERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.host.state_dir import StateDir


def may_start(state: StateDir) -> bool:
    """Tell whether a consumer started here would surprise nobody: not from a test, a prompt, or another account."""
    return HAS_CONSUMERS and not _is_test(sys.argv) and not _is_prompt() and _is_owner(state)


def _is_test(argv: Sequence[str]) -> bool:
    """Tell whether tests run here: under pytest, or as Django (`manage.py test`) and unittest are called."""
    if "_pytest" in sys.modules:
        return True
    program = os.path.basename(argv[0]) if argv else ""
    if program == "__main__.py":
        program = os.path.basename(os.path.dirname(argv[0]))
    return program == "unittest" or (program in {"manage.py", "django-admin", "django"} and argv[1:2] == ["test"])


def _is_prompt() -> bool:
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def _is_owner(state: StateDir) -> bool:
    """Tell whether the state directory is ours: what root starts, the site's owner can neither see nor end."""
    try:
        return os.stat(state.path).st_uid == os.geteuid()
    except OSError:
        return False
