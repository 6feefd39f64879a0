"""A real Mosquitto >= 2.0.21 on loopback, with the settings that lose nothing silently while it lives."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hearthwatch.services.places import cache_dir, deploy_dir, instances_dir
from hearthwatch.services.ports import LOOPBACK, listens
from hearthwatch.services.process import ProcessSpec
from hearthwatch.services.server import Server
from hearthwatch.services.service_user import as_service_user, give_to_service_user

VERSION_MIN = (2, 0, 21)  # older ones ignore MQTT 5's receive maximum

# A PUBACK is not "stored": the broker may forget up to autosave_interval seconds at a kill. The outbox covers that.
CONFIG = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 10
# The default of 1000 drops what is beyond it and still says "Success"; the bound in bytes answers "Quota exceeded".
max_queued_messages 0
max_queued_bytes 268435456
max_inflight_messages 0
max_packet_size 1048576
persistent_client_expiration 7d
use_username_as_clientid {authenticated}
log_type error
log_type warning
log_type notice
connection_messages false
"""


class NoMosquitto(Exception):
    """No Mosquitto that is new enough was found, and none could be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Mosquitto that runs on this machine, and the environment it needs."""

    path: Path
    env: Mapping[str, str]


def _of_the_demo(port: int, directory: Path) -> str:
    return CONFIG.format(port=port, host=LOOPBACK, directory=directory, authenticated="false")


class Mosquitto(Server):
    """A broker for the demo and the tests: loopback, anonymous, persistent over `kill` and `start`.

    `config` makes another configuration of port and directory; it must listen on that port.
    """

    def __init__(
        self,
        instance: str | None = None,
        *,
        port: int | None = None,
        config: Callable[[int, Path], str] = _of_the_demo,
    ) -> None:
        self._program = find_mosquitto()
        super().__init__("mosquitto", instances_dir("mosquitto"), instance, port=port)
        give_to_service_user(self.directory)
        self._config = self.directory / "mosquitto.conf"
        self._config.write_text(config(self.port, self.directory))

    def process(self) -> ProcessSpec:
        """Answer how to run the broker in the foreground."""
        argv = (str(self._program.path), "-c", str(self._config))
        return ProcessSpec(
            name=self.name,
            argv=as_service_user(argv),
            env=self._program.env,
            ready=lambda: listens(self.port),
        )


def find_mosquitto() -> Program:
    """Answer a Mosquitto that is new enough: HEARTHWATCH_MOSQUITTO, the system's, the cache's, else fetch one."""
    chosen = os.environ.get("HEARTHWATCH_MOSQUITTO")
    if chosen:
        return _checked(Program(path=Path(chosen), env={}))
    system = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if system:
        program = Program(path=Path(system), env={})
        if _version(program) >= VERSION_MIN:
            return program
    return _checked(_fetched(cache_dir() / "mosquitto"))


def _fetched(folder: Path) -> Program:
    script = deploy_dir() / "mosquitto_user.sh"
    done = subprocess.run([str(script), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoMosquitto(f"{script.name} failed: {done.stderr.strip()}")
    libraries = ":".join(str(path) for path in folder.glob("usr/lib/*-linux-gnu*"))
    return Program(path=folder / "usr/sbin/mosquitto", env={"LD_LIBRARY_PATH": libraries})


def _checked(program: Program) -> Program:
    version = _version(program)
    if version < VERSION_MIN:
        raise NoMosquitto(f"{program.path} is version {_dotted(version)}; {_dotted(VERSION_MIN)} is needed")
    return program


def _version(program: Program) -> tuple[int, ...]:
    answer = subprocess.run(
        [str(program.path), "-h"], env={**os.environ, **program.env}, capture_output=True, text=True, check=False
    )
    found = re.search(r"mosquitto version (\d+)\.(\d+)\.(\d+)", answer.stdout)
    if not found:
        raise NoMosquitto(f"{program.path} does not run: {answer.stderr.strip() or answer.stdout.strip()}")
    return tuple(int(part) for part in found.groups())


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
