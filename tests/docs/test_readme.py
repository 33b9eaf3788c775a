"""The layouts that README shows, made as it shows them and used from a working directory that is not theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
MODULES = "**Several modules of tasks.**"
FLASK = "**Flask's app context**"


def files_after(words: str) -> dict[str, str]:
    """Return the files of the first Python block behind some words: each begins with its path."""
    block = re.findall(r"```python\n(.*?)```", README[README.index(words) :], re.DOTALL)[0]
    _, *parts = re.split(r"^# (\S+\.py)[^\n]*\n", block, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture
def site(home: Path) -> Path:
    (home / "site").mkdir()
    (home / "site" / "cronq.toml").write_text('app = "shop.worker:app"\n')
    return home / "site"


def write(site: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text)
    (site / "shop" / "__init__.py").touch()


def run(site: Path, *words: str) -> str:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(site.parent), "PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, *words], cwd="/", env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cronq(site: Path, *words: str) -> str:
    return run(site, "-m", "cronq", *words, "--config", str(site / "cronq.toml"))


def test_several_modules_of_tasks(site: Path) -> None:
    files = files_after(MODULES)
    write(site, files | {"shop/pictures.py": files["shop/mails.py"].replace("send_mail", "resize")})
    told = cronq(site, "tasks")
    assert "shop.mails.send_mail" in told
    assert "shop.pictures.resize" in told
    run(site, "-c", "import shop.mails; shop.mails.send_mail.enqueue('ada@example.org')")  # as a web process may
    assert cronq(site, "drain").startswith("ran 1 message, 0 failed")


def test_flask_s_app_context_is_there_in_a_consumer_and_in_the_web_process(site: Path) -> None:
    mails = files_after(MODULES)["shop/mails.py"]
    uses_it = mails.replace(" ...", "\n    from flask import current_app\n    print(to, current_app.name)")
    web = (
        "from flask import Flask\n"
        "def create_app():\n"
        "    flask_app = Flask('a-shop')\n"
        "    @flask_app.get('/')\n"
        "    def page():\n"
        "        from shop.mails import send_mail\n"
        "        send_mail.enqueue('web@example.org')\n"
        "        return '<p>sent'\n"
        "    return flask_app\n"
    )
    queue = {"shop/queue.py": files_after(MODULES)["shop/queue.py"]}
    write(site, queue | {"shop/mails.py": uses_it, "shop/web.py": web} | files_after(FLASK))
    cronq(site, "enqueue", "shop.mails.send_mail", "ada@example.org")
    assert "ada@example.org a-shop" in cronq(site, "drain")
    served = run(
        site,
        "-c",
        "import io, sys\n"
        "from wsgi import application\n"
        "environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/', 'SERVER_NAME': 'x', 'SERVER_PORT': '80',\n"
        "           'wsgi.url_scheme': 'http', 'wsgi.input': io.BytesIO(), 'wsgi.errors': sys.stderr}\n"
        "body = application(environ, lambda *given: None)\n"
        "assert b''.join(body) == b'<p>sent'\n"
        "body.close()\n",
    )
    waiting = cronq(site, "drain")
    assert "web@example.org a-shop" in served + waiting
