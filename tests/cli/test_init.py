from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cronq.config import load
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_init_writes_a_configuration_that_is_right(shell: Shell) -> None:
    shell.says("init", "--app", "shop.tasks:app")
    assert load(shell.config, {}).app == "shop.tasks:app"


def test_init_makes_what_only_its_owner_may_read(shell: Shell) -> None:
    shell.run("init", umask=0)
    made: list[Path | str] = [shell.config, shell.state.path, f"{shell.state.path}/queue.db"]
    assert [mode(path) for path in made] == [0o600, 0o700, 0o600]


def test_init_prints_the_crontab_line_and_the_wsgi_lines(shell: Shell) -> None:
    text = shell.says("init", "--app", "shop.tasks:app")
    expected = [
        shell.says("crontab").strip(),
        "from wsgi_hooks import CronqMiddleware",
        "application = CronqMiddleware(application, app)",
    ]
    assert [line for line in expected if line not in text] == []


def test_init_without_an_app_says_that_it_is_missing(shell: Shell) -> None:
    assert 'Set app = "shop.tasks:app"' in shell.says("init")


def test_init_says_why_the_app_cannot_be_imported_yet(shell: Shell) -> None:
    assert "no module 'shop'" in shell.says("init", "--app", "shop.tasks:app")


def test_init_never_overwrites_a_configuration(shell: Shell) -> None:
    shell.config.write_text("max_processes = 2\n")
    text = shell.says("init", code=2)
    assert ("--force" in text, shell.config.read_text()) == (True, "max_processes = 2\n")


def test_init_force_overwrites_it(shell: Shell) -> None:
    shell.config.write_text("max_processes = 2\n")
    shell.says("init", "--force")
    assert load(shell.config, {}).max_processes == 4


def test_init_refuses_an_app_that_is_no_import_path(shell: Shell) -> None:
    assert "shop.tasks:app" in shell.says("init", "--app", "shop/tasks.py", code=2)
    assert not shell.config.exists()


def test_init_below_a_document_root_says_what_to_do(shell: Shell) -> None:
    served = shell.home / "public_html"
    served.mkdir()
    text = shell.says("init", "--config", f"{served}/cronq.toml", code=2)
    assert ("set state_dir" in text, os.listdir(served)) == (True, ["cronq.toml"])


def test_the_first_tick_after_init_starts_a_consumer(shop: Shell) -> None:
    shop.says("init", "--force", "--app", "shop.tasks:app")
    shop.says("tick")
    assert wait_until(lambda: shop.live("standby"))
