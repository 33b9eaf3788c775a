"""What `./run` does: start the shop and all it needs, place five orders, show what became of them, stop everything."""

from __future__ import annotations

import argparse
import http.client
import io
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

import psutil
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from shop.orders import Order

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
BIN = Path(sys.executable).parent
CUSTOMERS = ("Ada", "Grace", "Alan", "Edsger", "Barbara")
SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - where cronq keeps no state


class Shop(NamedTuple):
    """Where everything is. `prefix` is what stands before `cronq tick` in the crontab line."""

    web_port: int
    smtp_port: int
    prefix: str
    state_dir: Path

    @property
    def crontab_command(self) -> str:
        return f"{self.prefix}{quote(f'{BIN}/cronq')} tick --config {quote(f'{HERE}/cronq.toml')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stay", action="store_true", help="keep the shop running until Ctrl-C")
    arguments = parser.parse_args()
    is_fast = bool(os.environ.get("FAST"))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # then everything is stopped, too
    shop = prepare(is_fast)
    with ExitStack() as stack:
        stack.callback(end_consumers)
        stack.enter_context(program("mail sink", smtp_sink(shop), shop.smtp_port))
        stack.enter_context(program("shop", gunicorn(shop), shop.web_port))
        began = time.time()
        stack.enter_context(cron(shop, is_fast))
        wait_until(lambda: is_attended(shop, began), 75, f"the first consumer, see {shop.state_dir}/log")
        say(f"a consumer is there: pid {consumers()[0].pid}, started by the tick")
        began = time.time()
        orders = [place_order(shop, customer) for customer in CUSTOMERS]
        say(f"five orders placed in {time.time() - began:.2f} s; the visitors wait for nothing")
        wait_until(lambda: all(all(order().progress.values()) for order in orders), 90, "all five orders")
        report([order() for order in orders])
        if arguments.stay:
            stay(shop)
    say("everything is stopped; start again with ./run --stay to look around")
    return 0


def prepare(is_fast: bool) -> Shop:
    """Choose ports and a state directory; what differs from the files goes into environment and crontab line."""
    changes: dict[str, str] = {}
    smtp_port = free_port(8025)
    if smtp_port != 8025:
        changes["SMTP_PORT"] = str(smtp_port)
    state_dir = HERE / ".cronq"
    if str(HERE).startswith(SHARED):
        state_dir = Path.home() / ".cache" / "cronq-flask-shop"
        state_dir.parent.mkdir(parents=True, exist_ok=True)
        changes["CRONQ_STATE_DIR"] = str(state_dir)
    if is_fast:
        changes["CRONQ_INTERVAL"] = "5s"
    os.environ.update(changes)
    (DATA / "log").mkdir(parents=True, exist_ok=True)
    prefix = "".join(f"{name}={quote(value)} " for name, value in changes.items())
    return Shop(free_port(8000), smtp_port, prefix, state_dir)


def free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(one.getsockname()[1])
    raise SystemExit("no port is free on 127.0.0.1")


def smtp_sink(shop: Shop) -> list[str]:
    mailbox = ["-c", "aiosmtpd.handlers.Mailbox", str(DATA / "mails")]
    return [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{shop.smtp_port}", *mailbox]


def gunicorn(shop: Shop) -> list[str]:
    return [f"{BIN}/gunicorn", "--bind", f"127.0.0.1:{shop.web_port}", "--threads", "4", "wsgi:application"]


@contextmanager
def program(name: str, command: list[str], port: int) -> Iterator[None]:
    """Run a server until the end of the block; it is ready when its port answers."""
    log = DATA / "log" / f"{name.replace(' ', '-')}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=HERE, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or answers(port), 20, f"the {name} on port {port}, see {log}")
        if process.poll() is not None:
            raise SystemExit(f"the {name} did not start:\n{log.read_text()[-2000:]}")
        say(f"{name}: 127.0.0.1:{port}, pid {process.pid}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def cron(shop: Shop, is_fast: bool) -> AbstractContextManager[None]:
    """Return the cron of this machine, or what stands in for it where there is none."""
    if has_cron() and not is_fast:
        return real_cron(shop)
    return pretended_cron(shop, 5 if is_fast else 60)


def has_cron() -> bool:
    names = {process.name() for process in psutil.process_iter()}
    return shutil.which("crontab") is not None and bool(names & {"cron", "crond"})


@contextmanager
def real_cron(shop: Shop) -> Iterator[None]:
    """Add the line to your crontab, and take it out again."""
    line = f"* * * * * {shop.crontab_command}\n"
    found = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
    before = found.stdout if found.returncode == 0 else ""
    subprocess.run(["crontab", "-"], input=before + line, text=True, check=True)
    say(f"cron: {line.strip()} (for the time of this run; the first tick comes with the next full minute)")
    try:
        yield
    finally:
        rest = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=True).stdout.replace(line, "")
        subprocess.run(["crontab", "-"] if rest else ["crontab", "-r"], input=rest, text=True, check=True)


@contextmanager
def pretended_cron(shop: Shop, every_s: int) -> Iterator[None]:
    """Run the crontab line as cron does: by /bin/sh, from the home directory, with next to no environment."""
    environment = {"HOME": str(Path.home()), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    stop = threading.Event()

    def loop() -> None:
        while True:
            subprocess.run(["/bin/sh", "-c", shop.crontab_command], env=environment, cwd=Path.home(), check=False)
            if stop.wait(every_s):
                return

    thread = threading.Thread(target=loop, daemon=True)
    say(f"pretended cron, every {every_s} s: {shop.crontab_command}")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def place_order(shop: Shop, customer: str) -> Callable[[], Order]:
    """Send the form as a browser does. The order's address in the answer names it."""
    from shop import orders

    fields = {"name": customer, "email": f"{customer.lower()}@example.org", "product": "postcard"}
    body, content_type = multipart(fields, picture(customer))
    connection = http.client.HTTPConnection("127.0.0.1", shop.web_port, timeout=20)
    connection.request("POST", "/orders", body, {"Content-Type": content_type})
    answer = connection.getresponse()
    page = answer.read()
    connection.close()
    if answer.status != 303:
        raise SystemExit(f"the shop answered {answer.status}: {page.decode()[:2000]}")
    order_id = str(answer.headers["Location"]).rpartition("/")[2]
    return lambda: orders.find(order_id) or sys.exit(f"order {order_id} is gone")


def multipart(fields: dict[str, str], jpeg: bytes) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = 'Content-Disposition: form-data; name="picture"; filename="me.jpg"\r\nContent-Type: image/jpeg'
    parts.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + jpeg + f"\r\n--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def picture(customer: str) -> bytes:
    """Return a JPEG of three megapixels, about what a phone sends to a web page."""
    image = Image.linear_gradient("L").resize((2000, 1500)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((500, 250, 1500, 1250), fill=(154, 77, 28))
    draw.text((900, 700), customer, fill=(255, 255, 255), font_size=120)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def report(orders: list[Order]) -> None:
    mails = {order_id_in(mail): mail for mail in DATA.glob("mails/new/*")}
    for order in orders:
        print(f"\norder {order.id} for {order.name}")
        print(f"  mail     {mails[order.id].relative_to(HERE)}  {after(order, mails[order.id])}")
        for path in (order.print_picture, order.thumbnail, order.archive):
            print(f"  file     {path.relative_to(HERE)}  {after(order, path)}")
    print()


def order_id_in(mail: Path) -> str:
    return mail.read_text().partition("Message-ID: <")[2].partition(".")[0]


def after(order: Order, path: Path) -> str:
    return f"({path.stat().st_size} bytes, {path.stat().st_mtime - order.created_at:.1f} s after the order)"


def stay(shop: Shop) -> None:
    say(f"the shop is open: http://127.0.0.1:{shop.web_port}/  mails arrive in data/mails/new, Ctrl-C stops everything")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()


def is_attended(shop: Shop, since: float) -> bool:
    """Tell whether a consumer has looked at the queue since then: it touches its alive mark when it does."""
    mark = shop.state_dir / "alive" / "high"
    return mark.exists() and mark.stat().st_mtime >= since


def consumers() -> list[psutil.Process]:
    """Return the consumers of this shop: `cronq consume GROUP` with this directory as its own."""
    found = []
    for process in psutil.process_iter():
        try:
            if "consume" in process.cmdline() and process.cwd() == str(HERE):
                found.append(process)
        except psutil.Error:
            continue
    return found


def end_consumers() -> None:
    """Ask them to finish their message and leave: nothing is lost, what is left waits in the queue."""

    def are_gone() -> bool:
        living = consumers()
        for process in living:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        return not living

    wait_until(are_gone, 30, "the end of all consumers")


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up after {seconds:.0f} s of waiting for {what}")
        time.sleep(0.05)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
