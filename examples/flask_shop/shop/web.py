"""The shop's pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Flask, abort, redirect, render_template, request, send_file, url_for
from PIL import Image

from shop import orders
from shop.tasks import BuildArchive, app, resize_picture, send_confirmation

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug import Response
    from werkzeug.datastructures import FileStorage

EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")

flask_app = Flask(__name__)
flask_app.config["MAX_CONTENT_LENGTH"] = 10 * 1024 * 1024


@flask_app.get("/")
def catalogue() -> str:
    return render_template("catalogue.html", products=orders.PRINT_SIZES)


@flask_app.post("/orders")
def place_order() -> Response | tuple[str, int]:
    name, email = request.form.get("name", "").strip(), request.form.get("email", "").strip()
    product, picture = request.form.get("product", ""), request.files.get("picture")
    problem = what_is_wrong(name, email, product, picture)
    if problem or picture is None:
        return render_template("catalogue.html", products=orders.PRINT_SIZES, problem=problem), 400
    order = orders.new_order(name, email, product)
    with orders.replacing(order.upload) as file:
        picture.save(file)
    orders.save(order)
    with app.outbox():  # all three or none
        send_confirmation.enqueue(order.id)
        resize_picture.enqueue(order.id)
        app.dispatch(BuildArchive(order.id))
    return redirect(url_for("show_order", order_id=order.id), 303)


def what_is_wrong(name: str, email: str, product: str, picture: FileStorage | None) -> str | None:
    if not name.isprintable() or not 1 <= len(name) <= 80:
        return "Please tell us your name."
    if not EMAIL.fullmatch(email):
        return "Please give an e-mail address we can write to."
    if product not in orders.PRINT_SIZES:
        return "Please choose a product."
    if picture is None or not is_picture(picture):
        return "Please choose a picture: a JPEG or PNG file."
    return None


def is_picture(upload: FileStorage) -> bool:
    """Read the head of the file only: the visitor waits. Broken pixels are found by the task."""
    try:
        with Image.open(upload.stream, formats=("JPEG", "PNG")) as picture:
            return picture.width > 0
    except (OSError, Image.DecompressionBombError):
        return False
    finally:
        upload.stream.seek(0)


@flask_app.get("/orders/<order_id>")
def show_order(order_id: str) -> str:
    return render_template("order.html", order=orders.find(order_id) or abort(404))


@flask_app.get("/orders/<order_id>/thumbnail.jpg")
def show_thumbnail(order_id: str) -> Response:
    order = orders.find(order_id) or abort(404)
    return send_existing(order.thumbnail)


@flask_app.get("/orders/<order_id>/archive.zip")
def load_archive(order_id: str) -> Response:
    order = orders.find(order_id) or abort(404)
    return send_existing(order.archive)


def send_existing(path: Path) -> Response:
    return send_file(path) if path.exists() else abort(404)
