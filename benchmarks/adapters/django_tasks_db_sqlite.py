"""Django Tasks with the database backend and SQLite: https://pypi.org/project/django-tasks-db/.

The variant `wal` is what Django's documentation recommends for SQLite with several writers: WAL and IMMEDIATE.
"""

from __future__ import annotations

import os
import sys

import django
import work
from django.conf import settings

VERSIONS = ("django-tasks-db", "Django")
WORKER = [sys.executable, "-c", "import django_tasks_db_sqlite as adapter; adapter.consume()"]
WAL = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}

settings.configure(
    INSTALLED_APPS=["django_tasks", "django_tasks_db"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(os.environ["BENCH_DIR"], "django.db"),
            "OPTIONS": WAL if os.environ.get("BENCH_VARIANT") == "wal" else {},
        }
    },
    TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}},
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402 - needs the settings
from django_tasks import task  # noqa: E402


@task()
def noop() -> None:
    work.noop()


@task()
def mark() -> None:
    work.mark()


@task()
def stamp(enqueued_at: float) -> None:
    work.stamp(enqueued_at)


@task()
def hang() -> None:
    work.hang()


@task()
def spin() -> None:
    work.spin()


@task()
def tally(producer: int, number: int) -> None:
    work.tally(producer, number)


def prepare() -> None:
    call_command("migrate", verbosity=0)


def enqueue(name: str, *args: object) -> None:
    globals()[name].enqueue(*args)


def consume() -> None:
    call_command("db_worker")
