from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cronq.host.process import host_name
from cronq.supervisor import slots

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


def add(shop: Shell, text: str) -> None:
    """Put keys before the tables of the configuration."""
    shop.config.write_text(text + "\n" + shop.config.read_text())


def errors(shop: Shell) -> Any:
    return shop.json("check", code=2)["errors"]


def warnings(shop: Shell) -> Any:
    return shop.json("check")["warnings"]


def test_a_project_that_works_is_fine(shop: Shell) -> None:
    shop.says("crontab", "install")
    assert shop.says("check").splitlines()[-1] == "configuration is fine"


def test_json_tells_what_was_found(shop: Shell) -> None:
    shop.says("crontab", "install")
    data = shop.json("check")
    assert (data["fine"], data["warnings"], data["found"]["app"]) == (True, [], "shop.tasks:app, 3 tasks")
    assert set(data["found"]) == {"state_dir", "app", "python", "transport", "crontab"}


def test_everything_wrong_in_the_file_is_told_at_once(shop: Shell) -> None:
    add(shop, 'max_processes = 0\ntransport = "carrier-pigeon://"')
    assert [error.split(": ")[1].split(" = ")[0] for error in errors(shop)] == ["max_processes", "transport"]


def test_a_directory_without_a_configuration_is_said_to_be_one_and_stays_as_it_is(shell: Shell) -> None:
    (error,) = errors(shell)
    assert "there is no cronq.toml in" in error
    assert not (shell.home / ".cronq").exists()


def test_an_app_that_is_not_set_is_an_error(shell: Shell) -> None:
    shell.config.write_text("")
    assert ["app: is not set" in error for error in errors(shell)] == [True]


def test_an_app_that_cannot_be_imported_is_an_error_with_its_place(shop: Shell) -> None:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write("import no_such_thing\n")
    [error] = errors(shop)
    assert "No module named 'no_such_thing' (shop/tasks.py, line" in error


def test_an_app_that_ends_the_process_is_an_error(shop: Shell) -> None:
    (shop.home / "shop" / "tasks.py").write_text("raise SystemExit('no database')\n")
    assert "SystemExit: no database" in errors(shop)[0]


def test_what_a_project_prints_does_not_spoil_the_json(shop: Shell) -> None:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write("print('hello')\n")
    assert shop.json("check")["fine"]


def test_something_else_than_an_app_is_an_error(shop: Shell) -> None:
    shop.config.write_text('app = "shop.tasks:os"\n')
    assert "not a cronq App" in errors(shop)[0]


def test_a_task_whose_queue_nobody_serves_is_an_error(shop: Shell) -> None:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write("@app.task(queue='mail')\ndef lonely() -> None: ...\n")
    assert ["'mail' is served by no group" in error for error in errors(shop)] == [True]


def test_a_route_for_a_class_that_is_not_there_is_an_error(shop: Shell) -> None:
    add(shop, '[routing]\n"shop.tasks.CreateZip" = "low"\n"nowhere.CreateZip" = "low"')
    shop.config.write_text('app = "shop.tasks:app"\n' + shop.config.read_text().replace('app = "shop.tasks:app"\n', ""))
    assert ["CreateZip" in error for error in errors(shop)] == [True, True]


@pytest.mark.parametrize(("python", "said"), [("/no/python", "cannot be run"), ("/bin/false", "cannot import cronq")])
def test_a_python_that_cannot_start_consumers_is_an_error(shop: Shell, python: str, said: str) -> None:
    add(shop, f'python = "{python}"')
    assert [said in error for error in errors(shop)] == [True]


def test_the_python_of_the_consumers_is_named(shop: Shell) -> None:
    add(shop, f'python = "{sys.executable}"')
    assert shop.json("check")["found"]["python"].startswith(f"{sys.executable} (3.")


def test_a_state_directory_below_a_document_root_is_one_error(shop: Shell) -> None:
    add(shop, f'state_dir = "{shop.home}/public_html/.cronq"')
    assert ["public_html" in error for error in errors(shop)] == [True]


def test_a_database_of_another_program_is_an_error(shop: Shell) -> None:
    shop.state.prepare()
    (shop.home / ".cronq" / "queue.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    assert "is not an SQLite database" in errors(shop)[0]


def test_advice_on_the_configuration_is_a_warning(shop: Shell) -> None:
    add(shop, "memory_mb = 100")
    assert any("memory_limit_mb" in text for text in warnings(shop))


def test_a_transport_that_forgets_is_a_warning(shop: Shell) -> None:
    add(shop, 'transport = "memory://"')
    assert any("memory://" in text for text in warnings(shop))


def test_a_missing_crontab_line_is_a_warning(shop: Shell) -> None:
    assert ["cronq crontab install" in text for text in warnings(shop)] == [True]


def test_a_crontab_that_cannot_be_read_is_a_warning(shop: Shell) -> None:
    (shop.bin / "broken").write_text("not allowed")
    assert ["not allowed" in text for text in warnings(shop)] == [True]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("cronq tick --config {config}", "cron's PATH"),
        ("/no/cronq tick --config {config}", "not there or not executable"),
        ("/bin/sh /bin/cronq tick", "without --config"),
    ],
)
def test_a_crontab_line_that_cannot_work_is_a_warning(shop: Shell, job: str, said: str) -> None:
    shop.table.write_text(f"* * * * * {job.format(config=shop.config)}\n")
    assert [said in text for text in warnings(shop)] == [True]


def test_two_crontab_lines_for_one_configuration_are_a_warning(shop: Shell) -> None:
    shop.says("crontab", "install")
    shop.table.write_text(shop.table.read_text() * 2)
    assert ["2 lines tick" in text for text in warnings(shop)] == [True]


def add_webhook(shop: Shell, text: str) -> None:
    with shop.config.open("a") as file:
        file.write(f"[webhooks.ops]\nurl = 'https://example.org/cronq'\n{text}\n")


def test_the_secret_of_a_webhook_is_made_and_not_shown(shop: Shell) -> None:
    add_webhook(shop, "tasks = ['shop.tasks.add']")
    data = shop.json("check")
    path = shop.home / ".cronq" / "webhook.ops.secret"
    assert (data["fine"], data["found"]["webhook ops"]) == (True, f"secret in {path}")
    assert path.read_text().strip() not in shop.says("check")


def test_a_webhook_for_a_task_that_there_is_not_is_an_error(shop: Shell) -> None:
    add_webhook(shop, "tasks = ['shop.tasks.ad', 'shop.tasks.boom']")
    (error,) = errors(shop)
    assert error.startswith("webhooks.ops.tasks: no task is named shop.tasks.ad; did you mean shop.tasks.add")


def test_a_webhook_whose_secret_is_not_there_is_an_error(shop: Shell) -> None:
    add_webhook(shop, "secret_file = 'keys/ops'")
    assert [f"{shop.home}/keys/ops: is not there" in error for error in errors(shop)] == [True]


def test_a_consumer_of_another_host_that_never_left_is_named(shop: Shell) -> None:
    """As in a state directory that was copied here, or after the host got another name."""
    shop.state.prepare()
    slot = slots.take(shop.state, "all", 1)
    assert slot is not None
    slot.begin(["high"], 0.0)
    slot.release()
    path = Path(shop.state.slot("all.0"))
    assert "is of a consumer of host" not in shop.says("check")
    path.write_text(path.read_text().replace(f"holder {host_name()}/", "holder elsewhere/"))
    said = shop.says("check")
    assert f"warning: {path}: is of a consumer of host elsewhere, and this is {host_name()}: " in said
    path.unlink()
    assert "is of a consumer of host" not in shop.says("check")
