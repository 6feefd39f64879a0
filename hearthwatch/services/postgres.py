"""What TimescaleDB and plain PostgreSQL have in common: initdb once, then `postgres` in the foreground."""

import contextlib
import os
import shutil
import signal
import subprocess
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from hearthwatch.services.ports import LOOPBACK
from hearthwatch.services.process import ProcessSpec
from hearthwatch.services.server import Server

SUPERUSER = "postgres"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "sysv",  # needs neither /proc nor /dev/shm, so nothing is mounted in a chroot
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
}
SETTINGS_OF_TESTS: Mapping[str, str] = {"fsync": "off"}  # a killed process loses nothing by it, only a power cut does


class PostgresError(Exception):
    """A PostgreSQL server could not be prepared."""


class Postgres(Server):
    """A PostgreSQL server for the demo and the tests: loopback, trust, superuser `postgres`."""

    edition: str

    def __init__(
        self,
        name: str,
        parent: Path,
        instance: str | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__(name, parent, instance, port=port)
        self._settings = {**SETTINGS, **(settings or {})}
        self._prepare_folder()
        if not (self._data_dir / "PG_VERSION").exists():
            self._initdb()

    @abstractmethod
    def _as_postgres(self, program: str, *arguments: str) -> tuple[str, ...]:
        """Answer the command that runs a PostgreSQL program in its own environment and as its own user."""

    @abstractmethod
    def _prepare_folder(self) -> None:
        """Give the instance folder to the user the server runs as."""

    @property
    def _data_dir(self) -> Path:
        return self.directory / "data"

    @property
    def _data_dir_inside(self) -> str:
        """The data folder as the server sees it."""
        return str(self._data_dir)

    def dsn(self, database: str = "postgres") -> str:
        """Answer the libpq connection string of a database of this server."""
        return f"host={LOOPBACK} port={self.port} user={SUPERUSER} dbname={database}"

    def process(self) -> ProcessSpec:
        """Answer how to run the server in the foreground."""
        settings = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        return ProcessSpec(
            name=self.name,
            argv=self._as_postgres("postgres", "-D", self._data_dir_inside, "-p", str(self.port), *settings),
            ready=self._accepts,
            may_start=self._predecessor_is_gone,
            stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back
        )

    def _initdb(self) -> None:
        shutil.rmtree(self._data_dir, ignore_errors=True)  # what an interrupted initdb left
        command = self._as_postgres(
            "initdb", "-D", self._data_dir_inside, "-U", SUPERUSER, "--auth=trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        )  # fmt: skip
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PostgresError(f"initdb in {self._data_dir} failed: {done.stdout}{done.stderr}")

    def _accepts(self) -> bool:
        import psycopg  # only where a database is used at all

        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.dsn(), connect_timeout=2):
            return True
        return False

    def _predecessor_is_gone(self) -> bool:
        """Say whether no process works in the data folder, and tell those that outlived their postmaster to go.

        A backend of a killed postmaster holds the shared memory until it notices; a new postmaster refuses to start
        so long. SIGQUIT is what the postmaster itself would send them after a crash.
        """
        left = _working_in(self._data_dir)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        return not left


def _working_in(folder: Path) -> list[int]:
    """List the processes whose working directory is the folder: PostgreSQL's all stand in their data folder."""
    found, there = [], folder.resolve()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # ended meanwhile, or another user's
                if (entry / "cwd").readlink() == there:
                    found.append(int(entry.name))
    return found
