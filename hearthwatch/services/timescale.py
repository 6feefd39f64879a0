"""A real TimescaleDB (Apache edition) from Debian 13's packages, in a root of its own beside the system."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hearthwatch.services.places import SYSTEM_CACHE, deploy_dir
from hearthwatch.services.postgres import Postgres

BIN = "/usr/lib/postgresql/17/bin"
INSTANCES = "var/lib/hearthwatch"
SETTINGS: Mapping[str, str] = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
}


class NoTimescale(Exception):
    """There is no TimescaleDB root on this machine and none could be built."""


class Timescale(Postgres):
    """PostgreSQL 17 with TimescaleDB on loopback."""

    edition = "timescale"

    def __init__(
        self,
        instance: str | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self._root = find_root()
        super().__init__("timescale", instances_dir(), instance, settings={**SETTINGS, **(settings or {})}, port=port)

    @property
    def _data_dir_inside(self) -> str:
        return f"/{self._data_dir.relative_to(self._root)}"

    def _prepare_folder(self) -> None:
        if os.geteuid() == 0:
            os.chown(self.directory, *_postgres_ids(self._root))

    def _as_postgres(self, program: str, *arguments: str) -> tuple[str, ...]:
        # setpriv stands inside, after the change of user, which makes the kernel forget the parent-death signal.
        inside = ("/usr/bin/env", "-i", f"PATH={BIN}:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC",
                  "setpriv", "--pdeathsig", "INT", "--", f"{BIN}/{program}", *arguments)  # fmt: skip
        return (*_enter(self._root), *inside)


def root_folder() -> Path:
    """Answer where the Debian 13 root is kept, built or not."""
    return Path(os.environ.get("HEARTHWATCH_CACHE") or SYSTEM_CACHE) / "timescale-trixie"


def instances_dir() -> Path:
    """Answer the folder of this user's instances: they lie inside the root, as the server sees nothing else."""
    return root_folder() / INSTANCES / str(os.geteuid())


def is_built() -> bool:
    """Say whether the root is there."""
    return (root_folder() / ".hearthwatch-complete").exists()


def find_root() -> Path:
    """Answer the built root; build it where that is allowed."""
    folder = root_folder()
    if is_built():
        _check_entry(folder)
        return folder
    script = deploy_dir() / "timescale_root.sh"
    if os.geteuid() != 0:
        raise NoTimescale(f"no TimescaleDB in {folder}; build it once as root: {script} {folder}")
    done = subprocess.run([str(script), str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)  # fmt: skip
    if done.returncode != 0:
        raise NoTimescale(f"{script.name} failed: {done.stderr.strip()}")
    return folder


def _enter(root: Path) -> tuple[str, ...]:
    """Answer how a command is run inside the root as its user postgres."""
    if os.geteuid() == 0:
        return ("chroot", "--userspec=postgres:postgres", str(root))
    uid, gid = _postgres_ids(root)  # a user namespace: inside we are postgres, outside ourselves
    return ("unshare", f"--map-user={uid}", f"--map-group={gid}", f"--root={root}", "--wd=/")


def _check_entry(root: Path) -> None:
    done = subprocess.run([*_enter(root), "/bin/true"], cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoTimescale(f"{root} cannot be entered by this user: {done.stderr.strip()}")


def _postgres_ids(root: Path) -> tuple[int, int]:
    for line in (root / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if name == "postgres":
            return int(uid), int(gid)
    raise NoTimescale(f"{root} has no user postgres: remove it and build it again")
