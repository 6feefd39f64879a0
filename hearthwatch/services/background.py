"""Development servers in the background: one keeper process per checkout supervises a broker and a database.

The keeper holds a lock for its life and writes where its servers listen; `down` tells it to stop.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from hearthwatch.migration_files import MigrationError
from hearthwatch.migrations import migrate
from hearthwatch.services import timescale
from hearthwatch.services.databases import best_database
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.places import cache_dir, instances_dir
from hearthwatch.services.ports import LOOPBACK
from hearthwatch.services.server import Server
from hearthwatch.services.supervisor import Supervisor

START_WITHIN = timedelta(minutes=5)  # the first time the servers are fetched
STOP_WITHIN = timedelta(minutes=2)
_POLL_S = 0.05


class ServicesError(Exception):
    """The development servers did not start or stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Where the development servers listen."""

    pid: int
    database_edition: str
    database_dsn: str
    broker_host: str
    broker_port: int
    log_dir: str


def up() -> Running:
    """Start the keeper unless it runs, and answer where the servers listen."""
    running = status()
    if running is not None:
        return running
    folder = _folder()
    log = folder / "keeper.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "hearthwatch", "services", "keep"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    end = time.monotonic() + START_WITHIN.total_seconds()
    while (running := status()) is None:
        if keeper.poll() is not None or time.monotonic() > end:
            raise ServicesError(f"the servers did not start:\n{log.read_text()}")
        time.sleep(_POLL_S)
    return running


def down() -> bool:
    """Stop the servers and return when they are gone; False where none ran."""
    running = status()
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    end = time.monotonic() + STOP_WITHIN.total_seconds()
    while not _is_free():
        if time.monotonic() > end:
            raise ServicesError(f"process {running.pid} is still there after {STOP_WITHIN}")
        time.sleep(_POLL_S)
    return True


def forget() -> None:
    """Remove what the stopped servers have stored: the next `up` begins empty."""
    if not _is_free():
        raise ServicesError("they are running: stop them first")
    for folder in (instances_dir("mosquitto"), instances_dir("postgres"), timescale.instances_dir()):
        shutil.rmtree(folder / _instance(), ignore_errors=True)
    shutil.rmtree(_folder())


def status() -> Running | None:
    """Answer where the servers listen; None where no keeper runs or it is not ready yet."""
    if _is_free() or not _state_file().exists():
        return None
    return Running(**json.loads(_state_file().read_text()))


def keep() -> None:
    """Be the keeper: run the servers until told to stop."""
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    lock = _lock_soon()
    _state_file().unlink(missing_ok=True)
    known_ports = _ports()
    # The ports are kept, so that what was exported to a shell yesterday is still right.
    database = best_database(_instance(), port=known_ports.get("database"))
    broker = Mosquitto(_instance(), port=known_ports.get("broker"))
    with Supervisor(_folder() / "log") as supervisor:
        supervisor.start(broker.process())
        supervisor.start(database.process())
        _make_database(database.dsn())
        try:
            migrate(database.dsn("hearthwatch"))
        except MigrationError as error:
            raise ServicesError(f"{error}; or begin with an empty one: services down --forget") from error
        _remember_ports(database, broker)
        _tell(
            Running(
                pid=os.getpid(),
                database_edition=database.edition,
                database_dsn=database.dsn("hearthwatch"),
                broker_host=LOOPBACK,
                broker_port=broker.port,
                log_dir=str(_folder() / "log"),
            )
        )
        told_to_stop.wait()
        _state_file().unlink(missing_ok=True)
    lock.close()


def _make_database(dsn: str) -> None:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as db:
        if db.execute("SELECT 1 FROM pg_database WHERE datname = 'hearthwatch'").fetchone() is None:
            db.execute("CREATE DATABASE hearthwatch TEMPLATE template0")


def _instance() -> str:
    """Name this checkout's instance (or HEARTHWATCH_SERVICES'): two checkouts have servers of their own."""
    chosen = os.environ.get("HEARTHWATCH_SERVICES")
    if chosen:
        return chosen
    checkout = Path(__file__).resolve().parents[2]
    return f"development-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}"


def _folder() -> Path:
    folder = cache_dir() / f"services-{_instance()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _state_file() -> Path:
    return _folder() / "running.json"


def _tell(running: Running) -> None:
    """Write the state as a whole or not at all: others read it at any time."""
    with tempfile.NamedTemporaryFile("w", dir=_folder(), delete=False) as half:
        json.dump(asdict(running), half)
    Path(half.name).replace(_state_file())


def _ports() -> dict[str, int]:
    file = _folder() / "ports.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _remember_ports(database: Server, broker: Server) -> None:
    (_folder() / "ports.json").write_text(json.dumps({"database": database.port, "broker": broker.port}))


def _lock() -> IO[str] | None:
    file = (_folder() / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _lock_soon() -> IO[str]:
    """Hold the keeper's lock; whoever asks whether a keeper runs holds it for an instant too."""
    end = time.monotonic() + 5
    while (lock := _lock()) is None:
        if time.monotonic() > end:
            raise ServicesError("another keeper runs already")
        time.sleep(_POLL_S)
    return lock


def _is_free() -> bool:
    lock = _lock()
    if lock is None:
        return False
    lock.close()
    return True
