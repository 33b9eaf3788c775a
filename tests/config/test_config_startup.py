from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SLOW = {
    "dataclasses",
    "inspect",
    "pathlib",
    "json",
    "difflib",
    "logging",
    "cronq.config.template",
    "cronq.config.advice",
}


def modules_after(code: str, cwd: Path) -> set[str]:
    script = f"import sys; sys.path[:] = {sys.path!r}; {code}; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], cwd=cwd, capture_output=True, check=True, text=True
    )
    return set(ran.stdout.split())


def test_loading_imports_nothing_slow(tmp_path: Path) -> None:
    (tmp_path / "cronq.toml").write_text("max_processes = 3\n[inline]\ngrace_period = '5m'")
    environ = "{'CRONQ_INLINE_MODE': 'off'}"
    assert modules_after(f"from cronq.config import load; load(environ={environ})", tmp_path) & SLOW == set()


def test_loading_without_a_file_does_not_even_import_tomllib(tmp_path: Path) -> None:
    assert "tomllib" not in modules_after("from cronq.config import load; load(environ={})", tmp_path)
