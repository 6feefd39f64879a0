"""Sets the demo's stage: broker, database, ingest by broker and HTTP, alerting, console, six homes, their gateway."""

import os
import secrets
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from care.loading import load
from care.registry_file import parse_registry
from dashboards.wall.link import wall_path
from hearthwatch.demo.webhook import Pager
from hearthwatch.migrations import migrate
from hearthwatch.services.databases import best_database
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import LOOPBACK, free_port
from hearthwatch.services.process import ProcessSpec, at_once
from hearthwatch.services.supervisor import Supervisor
from ingest.http import token_book
from vitals.clock import ClinicalClock

GATEWAY_ID = "gw-demo"
HEAD_START = timedelta(seconds=6)
WALL = "heping-centre"
SITE_ALTITUDE_M = "50"
"""Where the example county lies: in the plain, where limits made for lowlands hold."""
SENDER = "lead-hospital"
"""Whose token the demo shows: it speaks for every gateway of the example county."""
MINUTES_EVERY_S, HOURS_EVERY_S, ACCOUNTS_EVERY_S = 60, 600, 60
"""How often, in patients' time, readings are rolled up and outboxes added up; a site counts the same on the wall."""
KILLABLE = ("gateway", "ingest", "mosquitto", "alerting", "postgres")

WELL_BUT_FOR_P3 = """zone = "Asia/Shanghai"
""" + "".join(
    f"""
[[device]]
name = "p{number}"
address = "C0:00:00:00:00:{number:02X}"
kind = "{"thermometer" if number == 5 else "oximeter"}"
course = "{"normal_temperature" if number == 5 else "healthy"}"
seed = {number}
"""
    for number in range(1, 7)
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is played: how fast, and a recording instead of the built-in courses of the third home's oximeter."""

    speed: float
    recording: Path | None = None
    console_port: int = 0


class Stage:
    """Everything the demo runs, as children of one supervisor; all of it ends with the block."""

    def __init__(self, folder: Path, script: Script, say: Say) -> None:
        self.folder = folder
        self.script = script
        self.say = say
        self.clock = ClinicalClock(origin=datetime.now(UTC), speed=script.speed)
        self.supervisor = Supervisor(folder / "log")
        self.pager = Pager()
        self.outbox = folder / "outbox.sqlite"
        self.console_port = script.console_port or free_port()
        self.token = ""
        self._intake_port = free_port()
        self._radio = folder / "radio.sock"
        self._secret = secrets.token_hex(16)
        self._closing = ExitStack()

    @property
    def console(self) -> str:
        """The console's address."""
        return f"http://{LOOPBACK}:{self.console_port}"

    @property
    def intake(self) -> str:
        """The address of the HTTP intake; `token` opens it."""
        return f"http://{LOOPBACK}:{self._intake_port}"

    @property
    def wall(self) -> str:
        """The address of the health centre's wall display."""
        return self.console + wall_path(self._secret.encode(), WALL)

    def now(self) -> datetime:
        """Clinical now."""
        return self.clock.at(datetime.now(UTC))

    def t_s(self) -> float:
        """Simulated seconds since the demo's clock began."""
        return max(0.0, (self.now() - self.clock.origin).total_seconds())

    def __enter__(self) -> Self:
        """Start everything, in order; what fails says why with the tail of its log."""
        try:
            self._closing.enter_context(self.supervisor)
            self._start_servers()
            self._closing.enter_context(self.pager)
            self._prepare_database()
            self._start_services()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, the last started first."""
        self._closing.close()

    def hush(self) -> None:
        """Let the devices stop measuring; links stay up."""
        self.supervisor.kill("devices", signal.SIGUSR1)

    def _start_servers(self) -> None:
        self.say("preparing the database")
        database = best_database()
        self._closing.callback(database.close)
        self.say(f"starting {database.edition}")
        self.supervisor.start(database.process())
        self.postgres = database.name
        self.say("starting the broker (Mosquitto)")
        broker = Mosquitto()
        self._closing.callback(broker.close)
        self.supervisor.start(broker.process())
        self._broker_port = broker.port
        with psycopg.connect(database.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE hearthwatch")
        self.dsn = database.dsn("hearthwatch")

    def _prepare_database(self) -> None:
        self.say("migrating, loading the registry")
        migrate(self.dsn)
        text = files("care").joinpath("examples/county.toml").read_text(encoding="utf-8")
        text = text.replace("json://localhost:9099", f"json://{self.pager.address}")
        with psycopg.connect(self.dsn) as connection:
            load(connection, parse_registry(text, "care/examples/county.toml"), now=self.clock.origin)
            _, self.token = token_book.add(connection, organisation=SENDER, name="demo", now=self.clock.origin)

    def _start_services(self) -> None:
        # Time runs at its own pace until the parts have had a moment to start: no patient's minute passes meanwhile.
        self.clock = ClinicalClock(origin=datetime.now(UTC) + HEAD_START, speed=self.script.speed)
        parts = (
            self._python("ingest", "hearthwatch", "ingest", "run"),
            self._python("intake", "hearthwatch", "ingest", "serve", ready=lambda: _is_ready(self.intake)),
            self._python("tending", "hearthwatch", "ingest", "tend"),
            self._python("alerting", "hearthwatch", "alerting", "run"),
            self._python("console", "hearthwatch", "console", "run", ready=lambda: _is_ready(self.console)),
            self._devices(),
            self._python("gateway", "hearthwatch.demo.gateway_process", f"unix:{self._radio}"),
        )
        self.say(f"starting {', '.join(part.name for part in parts)}")
        for part in parts:
            self.supervisor.start(part, wait=False)
        for part in parts:
            self.supervisor.wait_until_ready(part.name)

    def _python(self, name: str, module: str, *arguments: str, ready: Callable[[], bool] = at_once) -> ProcessSpec:
        return ProcessSpec(
            name=name, argv=(sys.executable, "-m", module, *arguments), env=self._environment(), ready=ready
        )

    def _devices(self) -> ProcessSpec:
        played = self._recorded() if self.script.recording else ()
        return ProcessSpec(
            name="devices",
            argv=(
                *(sys.executable, "-m", "firmware_stubs", "hub", "--json"),
                *("--socket", str(self._radio)),
                *("--origin", self.clock.origin.isoformat(), "--speed", str(self.clock.speed)),
                *played,
            ),
            ready=self._radio.exists,
            restart=False,
        )

    def _recorded(self) -> tuple[str, ...]:
        """Play the recording in the third home; everybody else is well, so that whatever is raised is its own."""
        scenario = self.folder / "recorded.toml"
        scenario.write_text(WELL_BUT_FOR_P3, encoding="utf-8")
        return ("--scenario", str(scenario), "--recording", str(self.script.recording), "--recording-on", "p3")

    def _environment(self) -> dict[str, str]:
        return {
            "HEARTHWATCH_DATABASE_DSN": self.dsn,
            "HEARTHWATCH_BROKER_HOST": LOOPBACK,
            "HEARTHWATCH_BROKER_PORT": str(self._broker_port),
            "HEARTHWATCH_CLOCK_ORIGIN": self.clock.origin.isoformat(),
            "HEARTHWATCH_CLOCK_SPEED": str(self.clock.speed),
            "HEARTHWATCH_INGEST_HTTP_PORT": str(self._intake_port),
            # Its periods are the machine's, whatever the clock: without this a rolled-up minute would come 20 too late.
            "HEARTHWATCH_INGEST_TEND_MINUTES_EVERY_S": str(MINUTES_EVERY_S / self.clock.speed),
            "HEARTHWATCH_INGEST_TEND_HOURS_EVERY_S": str(HOURS_EVERY_S / self.clock.speed),
            "HEARTHWATCH_INGEST_TEND_ACCOUNTS_EVERY_S": str(ACCOUNTS_EVERY_S / self.clock.speed),
            "HEARTHWATCH_ALERTING_CONSOLE_URL": self.console,
            "HEARTHWATCH_ALERTING_SITE_ALTITUDE_M": SITE_ALTITUDE_M,
            "HEARTHWATCH_CONSOLE_PORT": str(self.console_port),
            "HEARTHWATCH_CONSOLE_SECRET": self._secret,
            "HEARTHWATCH_LINK_SECRET": self._secret,
            "HEARTHWATCH_GATEWAY_GATEWAY_ID": GATEWAY_ID,
            "HEARTHWATCH_GATEWAY_BROKER_HOST": LOOPBACK,
            "HEARTHWATCH_GATEWAY_BROKER_PORT": str(self._broker_port),
            "HEARTHWATCH_GATEWAY_OUTBOX_PATH": str(self.outbox),
            "HEARTHWATCH_GATEWAY_CLAIM_ALL": "true",
            "HEARTHWATCH_GATEWAY_LINKS_MAX": "8",  # six devices on one adapter, which is no chip and carries any number
            # One machine, one clock: what the kernel thinks of its time server does not matter here.
            "HEARTHWATCH_GATEWAY_CLOCK_TRUST": "synchronised",
            "PYTHONUNBUFFERED": "1",
            "PATH": os.environ.get("PATH", ""),
        }


def _is_ready(service: str) -> bool:
    try:
        with urllib.request.urlopen(f"{service}/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
