"""The shop's background work: what a visitor should not wait for."""

from __future__ import annotations

import smtplib
import time
import zipfile
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, UnidentifiedImageError

from cronq import App, GiveUp, LowPriority, Retry
from shop import orders
from shop.orders import Order, replacing
from shop.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

app = App.from_config("../cronq.toml")


# Every task here may run twice: a message is delivered at least once, because a consumer that is killed between doing
# the work and saying so cannot be told from one that was killed before. So each task looks whether its work is done,
# and doing it again does no harm.


@app.task(queue="high", timeout_s=30, retry=Retry(max_attempts=5, delay_s=10), label="order {order_id}")
def send_confirmation(order_id: str) -> None:
    order = the_order(order_id)
    if order.mailed_at:
        return
    slow_down()
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=20) as smtp:
        smtp.send_message(confirmation(order))
    orders.mark_mailed(order)


def confirmation(order: Order) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = settings.sender
    mail["To"] = order.email
    mail["Subject"] = f"Your {order.product}, order {order.id}"
    # A kill between sending and mark_mailed() sends the mail again. It is the same mail then, and says so:
    # mail programs show one of two mails with the same Message-ID.
    mail["Message-ID"] = f"<{order.id}.confirmation@{settings.sender.partition('@')[2]}>"
    mail.set_content(f"Dear {order.name},\n\nthank you for your order. We print your {order.product} soon.\n")
    return mail


@app.task(queue="normal", timeout_s=60, label="order {order_id}")
def resize_picture(order_id: str) -> None:
    order = the_order(order_id)
    if order.has_pictures:
        return
    slow_down()
    try:
        with Image.open(order.upload) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise GiveUp(f"order {order.id}: the picture cannot be read: {error}") from error
    write_picture(upright, orders.PRINT_SIZES[order.product], order.print_picture)
    write_picture(upright, orders.THUMBNAIL, order.thumbnail)


def write_picture(picture: Image.Image, size: tuple[int, int], path: Path) -> None:
    # `replacing` ends with os.replace: two consumers that do the same work by accident both leave a whole file.
    with replacing(path) as file:
        ImageOps.fit(picture, size).save(file, "JPEG", quality=85)


@dataclass(frozen=True)
class BuildArchive(LowPriority):
    """Asks for the ZIP file that goes to the printer. The class says how urgent it is: it goes to the queue `low`."""

    order_id: str


@app.handler(timeout_s=120, label="order {message.order_id}")
def build_archive(message: BuildArchive) -> None:
    order = the_order(message.order_id)
    if order.archive.exists():
        return
    resize_picture(order.id)  # a plain call runs here and now, and does nothing when a consumer was faster
    slow_down()
    with replacing(order.archive) as file, zipfile.ZipFile(file, "w") as archive:
        archive.write(order.print_picture, "print.jpg")
        archive.write(order.thumbnail, "thumbnail.jpg")
        archive.writestr("invoice.txt", invoice(order))


def invoice(order: Order) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(order.created_at))
    return f"Invoice {order.id}\n{day}\n\nFor {order.name} <{order.email}>\n1 {order.product}   9.90 EUR\n"


def the_order(order_id: str) -> Order:
    order = orders.find(order_id)
    if order is None:
        raise GiveUp(f"there is no order {order_id}")
    return order


def slow_down() -> None:
    if settings.slow_down_s:
        time.sleep(settings.slow_down_s)
