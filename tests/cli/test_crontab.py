from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from cronq.supervisor import interval
from tests.cli.conftest import without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Shell

OTHERS = b"# mine\nMAILTO=ada\n@daily  caf\xe9 \\%\r\n\n"


def our_line(shop: Shell) -> str:
    return shop.says("crontab").strip()


def test_print_names_absolute_paths_only(shop: Shell) -> None:
    program, config = our_line(shop).removeprefix("* * * * * ").split(" tick --config ")
    assert (os.access(program, os.X_OK), config) == (True, str(shop.config))


def test_print_takes_the_cronq_beside_the_configured_python(shop: Shell) -> None:
    bin_dir = shop.home / "my venv" / "bin"
    bin_dir.mkdir(parents=True)
    (bin_dir / "cronq").touch(mode=0o755)
    shop.config.write_text(f'python = "{bin_dir}/python"\n')
    assert our_line(shop) == f"* * * * * '{bin_dir}/cronq' tick --config {shop.config}"


def test_print_calls_the_module_when_no_script_is_beside_the_python(shop: Shell) -> None:
    shop.config.write_text('python = "/opt/python"\n')
    assert our_line(shop) == f"* * * * * /opt/python -m cronq tick --config {shop.config}"


def test_print_keeps_the_environment_that_was_chosen(shop: Shell) -> None:
    shop.environ["CRONQ_ENV"] = "staging"
    with shop.config.open("a") as file:
        file.write("[env.staging]\nmax_processes = 2\n")
    assert our_line(shop).startswith("* * * * * CRONQ_ENV=staging /")


def test_print_says_which_variables_cron_will_not_see(shop: Shell) -> None:
    shop.environ["CRONQ_MAX_PROCESSES"] = "2"
    assert "cron will not see CRONQ_MAX_PROCESSES" in shop.says("crontab")


def test_flock_is_wrapped_around_the_tick_and_can_make_its_file(shop: Shell) -> None:
    line = shop.says("crontab", "print", "--flock", "--every", "5")
    lock = f"{shop.state.run}/cron.flock"
    assert (line.startswith("*/5 * * * * /"), f"flock -n {lock} /" in line) == (True, True)
    assert subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 0


def test_without_a_configuration_file_there_is_no_line(shell: Shell) -> None:
    assert "cronq init" in shell.says("crontab", code=2)


def test_install_writes_down_how_often_ticks_will_come(shop: Shell) -> None:
    shop.says("crontab", "install", "--every", "5")
    assert interval.current(shop.state) == 300
    shop.says("tick")
    assert "every 5m (as `cronq crontab install` was told)" in shop.says("status")


def test_after_a_remove_nothing_is_known_of_ticks(shop: Shell) -> None:
    shop.says("crontab", "install", "--every", "5")
    shop.says("crontab", "remove")
    assert interval.planned(shop.state.interval) is None


def test_install_works_for_a_user_without_a_crontab(shop: Shell) -> None:
    shop.says("crontab", "install")
    assert shop.table.read_text() == our_line(shop) + "\n"


def test_install_leaves_the_other_lines_byte_for_byte(shop: Shell) -> None:
    shop.table.write_bytes(OTHERS)
    shop.says("crontab", "install")
    assert shop.table.read_bytes() == OTHERS + our_line(shop).encode() + b"\n"


def test_install_again_with_another_interval_replaces_the_line(shop: Shell) -> None:
    shop.says("crontab", "install")
    shop.says("crontab", "install", "--every", "15")
    assert shop.table.read_text() == our_line(shop).replace("*", "*/15", 1) + "\n"


def test_install_again_says_that_it_is_there(shop: Shell) -> None:
    shop.says("crontab", "install")
    before = shop.table.stat().st_ino
    assert shop.says("crontab", "install").startswith("already there")
    assert shop.table.stat().st_ino == before


def test_install_through_a_symbolic_link_finds_the_same_line(shop: Shell) -> None:
    shop.says("crontab", "install")
    link = shop.home / "link"
    link.symlink_to(shop.home)
    shop.says("crontab", "install", "--config", f"{link}/cronq.toml")
    assert shop.table.read_text().count("cronq tick") + shop.table.read_text().count("-m cronq") == 1


def test_remove_restores_what_was_there_before(shop: Shell) -> None:
    shop.table.write_bytes(OTHERS)
    shop.says("crontab", "install")
    shop.says("crontab", "remove")
    assert shop.table.read_bytes() == OTHERS


def test_remove_without_a_line_says_so(shop: Shell) -> None:
    assert "no line" in shop.says("crontab", "remove")


def test_a_line_that_runs_another_command_too_is_kept_and_named(shop: Shell) -> None:
    other = f"*/5 * * * * /usr/bin/php /home/ada/artisan schedule:run; {our_line(shop).split(' ', 5)[5]}\n"
    shop.table.write_text(other)
    assert "line 1 of the crontab" in shop.says("crontab", "install")
    assert shop.table.read_text() == f"{other}{our_line(shop)}\n"
    assert "take the tick out of line 1" in shop.says("check")
    text = shop.says("crontab", "remove", code=1)
    assert ("removed the line" in text, "line 1 of the crontab" in text, shop.table.read_text()) == (True, True, other)
    assert "no line" not in shop.says("crontab", "remove", code=1)


@pytest.mark.parametrize("said", ["you are not allowed to use this program", "/var/spool: Input/output error", ""])
def test_a_crontab_that_cannot_be_read_is_never_written(shop: Shell, said: str) -> None:
    shop.table.write_bytes(OTHERS)
    (shop.bin / "broken").write_text(said)
    text = shop.says("crontab", "install", code=1)
    assert (said in text, "nothing was changed" in text, shop.table.read_bytes()) == (True, True, OTHERS)


def test_without_a_crontab_program_the_line_is_shown_for_the_panel(shop: Shell) -> None:
    line = our_line(shop)
    shop.environ = without(shop.environ, "crontab")
    text = shop.says("crontab", "install", code=1)
    assert ("no `crontab` program" in text, line in text) == (True, True)


def test_two_installs_at_once_do_not_lose_a_line(shop: Shell) -> None:
    """They would, if both read the table before either wrote it: the lock lets one wait for the other."""
    other = shop.home / "blog.toml"
    other.write_text("")
    (shop.bin / "slow").touch()
    shop.table.write_bytes(OTHERS)
    started = [shop.start("crontab", "install", "--config", str(path)) for path in (shop.config, other)]
    assert [process.communicate(timeout=300)[1] for process in started] == ["", ""]
    lines = shop.table.read_bytes().removeprefix(OTHERS).decode().splitlines()
    assert sorted(line.split("--config ")[1] for line in lines) == [str(other), str(shop.config)]


@pytest.fixture
def real(shop: Shell) -> Iterator[Shell]:
    """The host's own crontab program, run by the user nobody."""
    program = shutil.which("crontab")
    if program is None or shutil.which("setpriv") is None:
        pytest.skip("needs a real crontab program and setpriv: apt-get install cron util-linux")
    if os.geteuid() != 0:
        pytest.skip("needs root: it edits the crontab of nobody, not yours")
    with FileLock("/run/cronq-tests-crontab.lock"):  # the tests may run several times at once, under other Pythons
        table = subprocess.run([program, "-u", "nobody", "-l"], capture_output=True, text=True, check=False)
        if not all(str(shop.home.parent) in line for line in table.stdout.splitlines()):
            pytest.skip("the user nobody has a crontab already, which is not ours to change")
        if table.returncode == 0:  # a run of these tests was killed in the middle
            subprocess.run([program, "-u", "nobody", "-r"], check=True)
        as_nobody = "setpriv --reuid nobody --regid nogroup --clear-groups"
        (shop.bin / "crontab").write_text(f'#!/bin/sh\ncd / && exec {as_nobody} {program} "$@"\n')
        yield shop
        subprocess.run([program, "-u", "nobody", "-r"], capture_output=True, check=False)


def test_a_real_crontab_takes_the_line_and_gives_it_up_again(real: Shell) -> None:
    real.says("crontab", "install", "--every", "5")
    table = subprocess.run(["crontab", "-u", "nobody", "-l"], capture_output=True, text=True, check=True).stdout
    assert table == our_line(real).replace("*", "*/5", 1) + "\n"
    assert "removed the line" in real.says("crontab", "remove")
