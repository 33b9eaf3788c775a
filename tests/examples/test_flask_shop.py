"""The example shop, without cron: its pages, and its tasks run one after the other in this process."""

from __future__ import annotations

import importlib
import io
import re
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cronq import GiveUp
from tests.mails import Mails, mail_server

pytest.importorskip("flask")
Image = pytest.importorskip("PIL.Image")

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "flask_shop"
ADA = {"name": "Ada", "email": "ada@example.org", "product": "mug"}


@pytest.fixture
def mails() -> Iterator[Mails]:
    with mail_server() as mails:
        yield mails


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mails: Mails) -> Iterator[Any]:
    """The shop's modules, imported afresh: they read their settings when they are imported."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setenv("SHOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SMTP_PORT", str(mails.port))
    forget()
    importlib.import_module("shop.web")
    shop: Any = sys.modules["shop"]
    with shop.tasks.app.testing() as shop.box:
        yield shop
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name == "shop" or name.startswith("shop.")]:
        del sys.modules[name]


def picture(width: int = 640, height: int = 480, **extra: Any) -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (154, 77, 28)).save(file, "JPEG", **extra)
    file.seek(0)
    return file


def order(shop: Any, upload: io.BytesIO | None = None, **changes: str) -> Any:
    form = {**ADA, **changes, "picture": (upload or picture(), "me.jpg")}
    return shop.web.flask_app.test_client().post("/orders", data=form)


def placed(shop: Any, **changes: Any) -> Any:
    return shop.orders.find(order(shop, **changes).location.rpartition("/")[2])


def run_all(shop: Any) -> None:
    shop.box.run_all()


def counts(shop: Any) -> dict[str, int]:
    return {counts.queue: counts.ready for counts in shop.tasks.app.transport.counts()}


def test_an_order_puts_one_message_into_each_queue(shop: Any) -> None:
    answer = order(shop)

    assert answer.status_code == 303
    assert counts(shop) == {"high": 1, "normal": 1, "low": 1}


def test_the_page_of_a_new_order_shows_that_nothing_is_done(shop: Any) -> None:
    page = shop.web.flask_app.test_client().get(order(shop).location).text

    assert len(re.findall("in work", page)) == 3
    assert "refresh" in page


def test_the_page_of_a_finished_order_shows_its_picture_and_its_archive(shop: Any) -> None:
    client, location = shop.web.flask_app.test_client(), order(shop).location
    run_all(shop)

    page = client.get(location).text

    assert len(re.findall(">done<", page)) == 3
    assert "refresh" not in page
    for file in ("thumbnail.jpg", "archive.zip"):
        with client.get(f"{location}/{file}") as answer:
            assert answer.status_code == 200


def test_the_confirmation_is_one_mail_however_often_its_task_runs(shop: Any, mails: Mails) -> None:
    one = placed(shop)
    run_all(shop)
    shop.tasks.send_confirmation(one.id)

    assert [mail.message["To"] for mail in mails.kept] == ["ada@example.org"]


def test_a_confirmation_that_is_sent_again_has_the_same_message_id(shop: Any) -> None:
    one = placed(shop)

    assert shop.tasks.confirmation(one)["Message-ID"] == shop.tasks.confirmation(one)["Message-ID"]


@pytest.mark.parametrize(("product", "pixels"), [("postcard", (1748, 1240)), ("mug", (2475, 1155))])
def test_pictures_have_the_size_that_the_product_needs(shop: Any, product: str, pixels: tuple[int, int]) -> None:
    one = placed(shop, product=product)
    run_all(shop)

    with Image.open(one.print_picture) as large, Image.open(one.thumbnail) as small:
        assert (large.size, small.size) == (pixels, (360, 240))


def test_the_archive_holds_both_pictures_and_the_invoice(shop: Any) -> None:
    one = placed(shop)
    run_all(shop)

    with zipfile.ZipFile(one.archive) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["invoice.txt", "print.jpg", "thumbnail.jpg"]
        assert one.id in archive.read("invoice.txt").decode()


def test_the_archive_does_not_depend_on_who_comes_first(shop: Any) -> None:
    one = placed(shop)

    shop.tasks.build_archive(shop.tasks.BuildArchive(one.id))

    assert one.archive.exists()


def test_a_picture_that_turns_out_broken_is_given_up_at_once(shop: Any) -> None:
    one = placed(shop, upload=io.BytesIO(picture(2000, 2000).getvalue()[:2000]))

    with pytest.raises(GiveUp, match=f"{one.id}: the picture cannot be read"):
        shop.tasks.resize_picture(one.id)
    assert not one.print_picture.exists()


@pytest.mark.parametrize(
    "changes", [{"name": " "}, {"email": "nobody"}, {"product": "yacht"}, {"upload": io.BytesIO(b"text")}]
)
def test_a_wrong_order_is_refused_and_leaves_nothing_behind(shop: Any, changes: dict[str, Any], tmp_path: Path) -> None:
    answer = order(shop, **changes)

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert not list(tmp_path.rglob("*"))
    assert sum(counts(shop).values()) == 0


def test_an_order_nobody_placed_is_not_found(shop: Any) -> None:
    assert shop.web.flask_app.test_client().get("/orders/0123").status_code == 404
