"""Completion in real shells, and that it is silent and bounded whatever the project does."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cronq.host import known_tasks
from tests.cli.conftest import shown
from tests.cli.test_failed import give_up

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

READY = 'rea""dy> '  # as it is typed: the quotes go, and the echo of the line is not taken for the prompt
INTERACTIVE = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ""),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u; "),
}


@pytest.fixture
def shop(shop: Shell) -> Shell:
    program = shop.bin / "cronq"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cronq "$@"\n')
    program.chmod(0o755)
    shop.environ["TERM"] = "dumb"
    return shop


def completed(shop: Shell, program: str, typed: str, wanted: str) -> bool:
    """Type the beginning of a line into a shell, press tab, and tell whether it has become the line that is wanted."""
    if program == "fish":
        look = f"cronq completion fish | source; complete -C '{typed}'"
        argv = ["fish", "--no-config", "-c", f"{look} 2>&1"]
        done = subprocess.run(argv, cwd=shop.home, env=shop.environ, check=True, capture_output=True, text=True)
        return [line.split("\t")[0] for line in done.stdout.splitlines()] == [wanted.rpartition(" ")[2]]
    argv, first = INTERACTIVE[program]
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        argv, cwd=shop.home, env=shop.environ, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    ) as process:
        os.close(inner)
        try:
            os.write(terminal, f'{first}eval "$(cronq completion {program})"; PS1="{READY}"\n'.encode())
            shown(terminal, READY.replace('""', ""))
            os.write(terminal, f"{typed}\t\x01echo \n".encode())  # what the line has become is echoed
            return shown(terminal, f"\n{wanted}")
        finally:
            process.kill()
            os.close(terminal)


def offered(shop: Shell, *words: str, incomplete: str = "") -> list[str]:
    """Return what bash is offered, and see that nothing else is printed."""
    asked = {"COMP_WORDS": " ".join(["cronq", *words, incomplete]), "COMP_CWORD": str(len(words) + 1)}
    environ = shop.environ | asked | {"_CRONQ_COMPLETE": "bash_complete"}
    done = shop.run(env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.removeprefix("plain,") for line in done.stdout.split()]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(one, marks=pytest.mark.skipif(shutil.which(one) is None, reason=f"needs {one}"))
        for one in ("bash", "zsh", "fish")
    ],
)
@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("cronq crontab ins", "cronq crontab install"),
        ("cronq failed list --st", "cronq failed list --stats"),
        ("cronq queues show hi", "cronq queues show high"),
        ("cronq consume al", "cronq consume all"),
        ("cronq enqueue shop.tasks.unt", "cronq enqueue shop.tasks.until_there"),
        ("cronq failed show ID", "cronq failed show WHOLE"),
    ],
    ids=["command", "option", "queue", "group", "task", "id"],
)
def test_a_real_shell_completes(shop: Shell, program: str, typed: str, wanted: str) -> None:
    message_id = give_up(shop)
    assert completed(shop, program, typed.replace("ID", message_id[:10]), wanted.replace("WHOLE", message_id))


def test_ids_are_those_that_the_command_can_do_something_about(shop: Shell) -> None:
    given_up = give_up(shop)
    waiting = shop.says("enqueue", "shop.tasks.add", "1").strip()
    assert offered(shop, "failed", "retry") == [given_up]
    assert offered(shop, "messages", "cancel") == [waiting]
    assert offered(shop, "messages", "stop") == []
    assert set(offered(shop, "messages", "show")) == {given_up, waiting}
    assert offered(shop, "messages", "cancel", incomplete=waiting[:12]) == [waiting]
    assert offered(shop, "failed", "show", incomplete=waiting) == []


def test_values_of_options_are_completed(shop: Shell) -> None:
    assert offered(shop, "failed", "list", "--queue", incomplete="lo") == ["low"]
    assert offered(shop, "messages", "list", "--task", incomplete="shop.tasks.b") == ["shop.tasks.boom"]
    assert offered(shop, "drain", "--queue", incomplete="h") == ["high"]


def test_the_configuration_that_the_line_names_is_the_one_that_counts(shop: Shell) -> None:
    other = shop.home / "other.toml"
    other.write_text('[[consumers]]\nname = "others"\nqueues = ["mail"]\n')
    assert offered(shop, "--config", str(other), "consume") == ["others"]
    assert offered(shop, "consume", "--config", str(other)) == ["others"]


@pytest.mark.parametrize(
    "code", ["print('loud'); import sys; sys.stderr.write('loud'); 1 / 0", "import os; os._exit(3)", "import no_module"]
)
def test_a_project_that_cannot_be_imported_is_silent_and_the_tasks_last_known_are_offered(
    shop: Shell, code: str
) -> None:
    shop.state.prepare()
    known_tasks.note(shop.state.known_tasks, ["shop.tasks.add"])
    (shop.home / "shop" / "tasks.py").write_text(code)
    assert offered(shop, "enqueue") == ["shop.tasks.add"]


def test_a_project_that_hangs_while_it_is_imported_is_not_waited_for(shop: Shell) -> None:
    hang = "import os, time; open('hangs', 'w').write(str(os.getpid())); time.sleep(1000)"
    (shop.home / "shop" / "tasks.py").write_text(hang)
    assert offered(shop, "tasks", "pause") == []
    pid = (shop.home / "hangs").read_text()
    assert not os.path.exists(f"/proc/{pid}")


def test_a_wrong_configuration_and_a_wrong_command_are_silent(shop: Shell) -> None:
    assert "status" in offered(shop, "nonsense")
    shop.config.write_text("max_proceses = 1\n")
    assert offered(shop, "queues", "show") == []


def test_completing_makes_nothing(shop: Shell) -> None:
    for words in (["failed", "show"], ["queues", "show"], ["tasks", "pause"], ["schedule", "run"]):
        offered(shop, *words)
    assert not (shop.home / ".cronq").exists()


def test_only_shells_that_are_known_have_a_script(shop: Shell) -> None:
    assert "is not one of" in shop.says("completion", "tcsh", code=2)
