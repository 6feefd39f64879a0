"""The test rig: real servers, started once per process on ports of their own, and a fresh database per test.

Tests run in several processes at once, a file in one of them: processes share nothing but the caches.
"""

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from hearthwatch.migrations import migrate
from hearthwatch.services.embedded import EmbeddedPostgres, NoEmbeddedPostgres
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.postgres import SETTINGS_OF_TESTS, Postgres
from hearthwatch.services.timescale import NoTimescale, Timescale
from tests.rigs import rig1 as rig1
from tests.rigs import rig2 as rig2

WORKERS_PER_CORE = 2  # most of a test's time is waiting
REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATE = "migrated"
Templates = Callable[[Postgres], str]
_numbers = itertools.count(1)

# How long an example takes to draw is the machine's business: a busy one must not fail a test.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_configure() -> None:
    """Let processes under test hear Ctrl-C also where the shell started us in its background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Give each core two workers; files and single tests named on the command line are done before those are up."""
    if all(".py" in argument for argument in config.args):
        return 0
    return WORKERS_PER_CORE * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that all workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[Postgres]:
    """A running PostgreSQL 17 with TimescaleDB; `dsn()` is its maintenance database."""
    try:
        server = Timescale(settings=SETTINGS_OF_TESTS)
    except NoTimescale as error:
        _without(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def plain_server() -> Iterator[Postgres]:
    """A running plain PostgreSQL 18; `dsn()` is its maintenance database."""
    try:
        server = EmbeddedPostgres(settings=SETTINGS_OF_TESTS)
    except NoEmbeddedPostgres as error:
        _without(str(error))
    with server:
        yield server


@pytest.fixture
def own_timescale() -> Iterator[Postgres]:
    """A running TimescaleDB server that belongs to one test: kill it, restart it; not migrated."""
    try:
        server = Timescale(settings=SETTINGS_OF_TESTS)
    except NoTimescale as error:
        _without(str(error))
    with server:
        yield server


@pytest.fixture
def own_plain() -> Iterator[Postgres]:
    """A running plain PostgreSQL server that belongs to one test; not migrated."""
    try:
        server = EmbeddedPostgres(settings=SETTINGS_OF_TESTS)
    except NoEmbeddedPostgres as error:
        _without(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def templates() -> Templates:
    """A function that names a server's migrated template database, made when it is first asked for."""
    return cache(_make_template)


@pytest.fixture
def database(timescale_server: Postgres, templates: Templates) -> Iterator[str]:
    """The DSN of a fresh, migrated database on TimescaleDB."""
    with _database(timescale_server, template=templates(timescale_server)) as dsn:
        yield dsn


@pytest.fixture
def plain_database(plain_server: Postgres, templates: Templates) -> Iterator[str]:
    """The DSN of a fresh, migrated database on plain PostgreSQL."""
    with _database(plain_server, template=templates(plain_server)) as dsn:
        yield dsn


@pytest.fixture(params=["timescale", "plain"])
def any_server(request: pytest.FixtureRequest) -> Postgres:
    """Each flavour of PostgreSQL in turn, running."""
    server: Postgres = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture
def any_database(any_server: Postgres, templates: Templates) -> Iterator[str]:
    """The DSN of a fresh, migrated database, on each flavour in turn."""
    with _database(any_server, template=templates(any_server)) as dsn:
        yield dsn


@pytest.fixture
def empty_database(any_server: Postgres) -> Iterator[str]:
    """The DSN of a database without any table, on each flavour in turn."""
    with _database(any_server, template="template0") as dsn:
        yield dsn


@pytest.fixture(scope="session")
def broker_server() -> Iterator[Mosquitto]:
    """A running Mosquitto for the session; a test that kills it starts it again."""
    with Mosquitto() as server:
        yield server


@pytest.fixture
def broker(broker_server: Mosquitto) -> Mosquitto:
    """The session's running Mosquitto (`host`, `port`); use topics and client ids of your own."""
    if not broker_server.running:
        broker_server.start()
    return broker_server


@pytest.fixture
def own_broker() -> Iterator[Mosquitto]:
    """A Mosquitto that belongs to one test: kill it, restart it, fill it."""
    with Mosquitto() as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The Chromium of the system."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        _without("no Chromium: ./run test installs it")
    return Path(found)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings beside the repository, where there is one."""
    folder = REPOSITORY.parent / "shared" / "recordings"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}")
    return folder


def _make_template(server: Postgres) -> str:
    """Migrate one database to copy: nobody may connect to it, as a copy needs its source without connections."""
    with psycopg.connect(server.dsn(), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        migrate(server.dsn(TEMPLATE))
        db.execute(f"ALTER DATABASE {TEMPLATE} WITH allow_connections false is_template true")
        # TimescaleDB's launcher keeps a scheduler connected to every database that has the extension.
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [TEMPLATE])
    return TEMPLATE


@contextmanager
def _database(server: Postgres, *, template: str) -> Iterator[str]:
    # Never from template1: TimescaleDB's launcher visits every database that allows connections, at any time.
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.dsn(), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.dsn(name)
    with psycopg.connect(server.dsn(), autocommit=True) as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _without(what: str) -> NoReturn:
    """Skip with the reason; in CI a server that is missing is a failure and not a skip."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
