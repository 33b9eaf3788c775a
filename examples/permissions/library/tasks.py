"""The tasks. None of them mentions users: who may do what is asked where it is done."""

from __future__ import annotations

from cronq import App, Retry
from library.people import acting, require
from library.stamps import use_stamps

app = App.from_config("../cronq.toml")
use_stamps(app)

published: list[str] = []
notes: list[str] = []


@app.task(retry=Retry(max_attempts=1))
def publish(title: str) -> None:
    """Publish a document, and tell its readers."""
    require("publish")
    published.append(title)
    notify.enqueue(title)
    print(f"{acting().name} published {title}")


@app.task(retry=Retry(max_attempts=1))
def notify(title: str) -> None:
    """Runs as the same person, but never as superuser: that was asked for `publish` alone."""
    person = acting()
    notes.append(f"{person.name}{' as superuser' if person.is_superuser else ''} announced {title}")
    print(notes[-1])
