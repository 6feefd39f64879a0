"""The rig of the screens: a filled county, a real server on a port of its own, a real Chromium."""

import hashlib
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dashboards.app import create_app
from dashboards.server import Server
from dashboards.sessions import COOKIE
from dashboards.settings import Settings
from dashboards.wall.link import wall_path
from hearthwatch.services.ports import free_port
from tests.dashboards import county

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SECRET = "a secret of the tests"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
WALL = {"width": 1920, "height": 1080}

expect.set_options(timeout=60_000)  # only keeps a broken test from hanging: a busy machine takes its time


class Console:
    """The console and the wall as they run, in a thread; `stop` is as abrupt to a page as a killed process."""

    def __init__(self, dsn: str, **settings: object) -> None:
        self.dsn = dsn
        self._settings = {"database_dsn": dsn, "console_secret": SECRET, "link_secret": SECRET} | settings
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: Server | None = None

    def start(self) -> None:
        """Serve, and wait until the database is heard."""
        app = create_app(Settings(**self._settings))  # type: ignore[arg-type]
        config = uvicorn.Config(app, port=self.port, log_level="warning", timeout_graceful_shutdown=1)
        self._server = Server(config, app.state.site.broadcast.close)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        ready = threading.Event()
        while not (self._server.started and app.state.site.broadcast.listening):
            ready.wait(0.01)
            assert self._thread.is_alive(), "the server ended while starting"

    def stop(self) -> None:
        """End it, streams and all."""
        if self._server is not None:
            self._server.handle_exit(signal.SIGTERM, None)
            self._thread.join(timeout=60)
            assert not self._thread.is_alive()
            self._server = None

    @contextmanager
    def rows(self) -> Iterator[psycopg.Connection]:
        """Change the database as another service would; commits at the end."""
        with psycopg.connect(self.dsn) as connection:
            yield connection

    def session(self, key: str) -> tuple[str, str]:
        """Open a session for a person; gives its token and its CSRF token."""
        token, csrf = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        with self.rows() as db:
            db.execute(
                "INSERT INTO console_session SELECT %s, person_id, %s, now(), now(), now() + interval '1 h'"
                " FROM person WHERE key = %s",
                [hashlib.sha256(token.encode()).digest(), csrf, key],
            )
        return token, csrf

    def wall(self, organisation: str = "qingshi") -> str:
        """Give the address of a wall."""
        return self.url + wall_path(SECRET.encode(), organisation)


@pytest.fixture
def console(database: str) -> Iterator[Console]:
    """A running console on a county with readings and no episode."""
    county.fill(database)
    running = Console(database)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="package")
def browser(chromium: Path) -> Iterator[Browser]:
    """A running Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        yield running
        running.close()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """A function that opens an empty page; a script error or a breach of the content policy fails the test."""
    contexts, complaints = [], []

    def opened(*, size: dict[str, int] = DESK, language: str = "zh-CN") -> Page:
        context = browser.new_context(viewport=size, locale=language)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def enter(page: Page, console: Console, key: str = "li-min") -> None:
    """Come in with a session opened beforehand: what a test does that is not about signing in."""
    token, _ = console.session(key)
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": console.url}])
    page.goto(console.url)


def api(console: Console, key: str = "li-min") -> httpx.Client:
    """Call the server with a session opened beforehand."""
    token, csrf = console.session(key)
    return httpx.Client(base_url=console.url, cookies={COOKIE: token}, headers={"X-CSRF-Token": csrf})


def sign_in(page: Page, console: Console, key: str = "li-min", password: str = county.PASSWORD) -> None:
    """Sign in by hand."""
    page.goto(console.url + "/sign-in")
    page.fill("[name=key]", key)
    page.fill("[name=password]", password)
    page.click("main button")
