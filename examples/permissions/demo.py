"""Enqueues as several people and runs it all here: `python demo.py`."""

from __future__ import annotations

from library.people import PEOPLE, act_as
from library.stamps import as_superuser
from library.tasks import app, publish


def main() -> None:
    with app.testing() as box:  # the queue in memory, so that the demo leaves nothing behind
        with act_as(PEOPLE["ada"]):
            publish.enqueue("The analytical engine")
        with act_as(PEOPLE["bob"]):
            publish.enqueue("My draft")
            publish.using(headers=as_superuser()).enqueue("A correction")
        publish.enqueue("From nobody")
        publish.using(headers={"acting": "ada.forged"}).enqueue("From somebody else")
        box.run_all(raises=False)
        for failed in box.failed:
            print(f"refused: {failed.message.args['title']}: {failed.error}")


if __name__ == "__main__":
    main()
