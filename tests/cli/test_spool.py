"""What commands show of the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.messages.ids import new_id
from cronq.messages.message import Message
from cronq.messages.parcel import packed
from cronq.transports.spool_choice import spool_of
from tests.full_disk import no_room
from tests.presence import there

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


@pytest.fixture
def spooling(shop: Shell) -> Shell:
    shop.config.write_text("spool = true\nspool_mb = 1\n" + shop.config.read_text())
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.says("drain")
    return shop


def keep_one(shop: Shell) -> None:
    message = Message(new_id(), "normal", "shop.tasks.add", b'{"a":1}')
    app = shop.app()
    there(spool_of(app.settings, app.state)).append(packed([message]))


def test_an_empty_one_is_seen_by_check_and_no_trouble(spooling: Shell) -> None:
    assert spooling.json("check")["found"]["spool"] == f"{spooling.state.spool} (1 MB reserved, empty)"
    assert spooling.json("status")["spool"] == {"messages": 0, "used": 0, "size": 1 << 20, "unusable": None}


def test_what_lies_in_it_is_seen_by_status_and_check(spooling: Shell) -> None:
    keep_one(spooling)
    said = spooling.says("status", code=1)
    assert "spool  1 message: " in said
    assert "! the queue could not be written, so messages lie in the spool: 1; free some space" in said
    assert "(1 MB reserved, 1 message)" in spooling.json("check")["found"]["spool"]
    spooling.says("drain")
    assert "spool" not in spooling.says("status")


def test_one_without_room_is_a_warning_and_a_trouble(shop: Shell) -> None:
    shop.says("enqueue", "shop.tasks.add", "1")
    shop.config.write_text("spool = true\nspool_mb = 1\n" + shop.config.read_text())
    with no_room(1 << 19):
        warnings = shop.json("check")["warnings"]
        said = shop.says("status", code=1)
    assert [one for one in warnings if "has no room yet" in one]
    assert "! the spool keeps nothing: " in said
