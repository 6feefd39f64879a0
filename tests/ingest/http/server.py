"""The HTTP intake as its own process, and a phone that sends to it."""

import gzip
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from hearthwatch.services.ports import free_port
from hearthwatch.services.process import tied_to_parent
from ingest.http import token_book
from tests.ingest.county import OXIMETER
from tests.ingest.service import WITHIN_S, metrics_of, wait_until


def now_ms() -> int:
    """Real time: the service runs on the machine's clock."""
    return int(time.time() * 1000)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came back."""

    status: int
    headers: Message
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        assert self.body["type"] == f"urn:problem-type:hearthwatch:{self.body['name']}"
        assert self.body["status"] == self.status
        return str(self.body["name"])

    @property
    def fates(self) -> list[tuple[Any, ...]]:
        """Each outcome as (outcome, reason, ranges)."""
        return [
            (each["outcome"], each["reason"], [(part["first_row"], part["last_row"]) for part in each["ranges"]])
            for each in self.body["outcomes"]
        ]


class HttpService:
    """`hearthwatch ingest serve`: started, killed and started again by its own pid."""

    def __init__(self, dsn: str, folder: Path, *, tls: ssl.SSLContext | None = None, **settings: str) -> None:
        self._tls = tls
        self.port, self.metrics_port = free_port(), free_port()
        self.log = folder / "http.log"
        self._process: subprocess.Popen[bytes] | None = None
        own = {"port": str(self.port), "metrics_port": str(self.metrics_port), **settings}
        self._environment = {
            "HEARTHWATCH_DATABASE_DSN": dsn,
            "PATH": os.environ["PATH"],
            **{f"HEARTHWATCH_INGEST_HTTP_{name.upper()}": value for name, value in own.items()},
        }

    def __enter__(self) -> "HttpService":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it answers."""
        command = (sys.executable, "-W", "error", "-m", "hearthwatch", "ingest", "serve")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tied_to_parent(command), env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._lives, f"the HTTP intake lives; it said: {self.log.read_text()}")

    def kill(self) -> None:
        """SIGKILL it and return when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to stop and give its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=WITHIN_S)

    def metrics(self) -> dict[str, float]:
        """Read its counters."""
        return metrics_of(self.metrics_port)

    def get(self, path: str) -> Answered:
        """Ask for something."""
        return self.request("GET", path)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Make one request on a connection of its own."""
        connection = (
            http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self._tls)
            if self._tls
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        )
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return Answered(status=answer.status, headers=answer.headers, body=json.loads(content))

    def _lives(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz").status == 200
        except (OSError, http.client.HTTPException):
            return False


class Phone:
    """Makes messages with row numbers that follow one another, and sends them."""

    def __init__(self, service: HttpService, token: str, gateway_id: str = "gw-1") -> None:
        self.service = service
        self.token = token
        self.gateway_id = gateway_id
        self.outbox_id: UUID = uuid4()
        self.next_row = 0
        self.begin_ms = now_ms() - 600_000

    def readings(self, *values: float | None, first_row: int | None = None, **changes: object) -> dict[str, Any]:
        """Make SpO2 readings: row n is dated n s after the phone's begin, so a row is always the same reading."""
        first = self.next_row if first_row is None else first_row
        self.next_row = max(self.next_row, first + len(values))
        return {
            "version": 1,
            "outbox_id": str(self.outbox_id),
            "first_row": first,
            "boot_id": 7,
            "t0_ms": self.begin_ms,
            "sent_ms": now_ms(),
            "synchronised": True,
            "backlog": False,
            "devices": [{"device": OXIMETER, "acquisition": "continuous"}],
            "offset_ms": [1000 * (first + place) for place in range(len(values))],
            "device": [0] * len(values),
            "signal": ["spo2"] * len(values),
            "value": list(values),
            **changes,
        }

    def send(
        self,
        document: Mapping[str, Any] | bytes,
        *,
        packed: bool = False,
        gateway_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """Send a document, or bytes as they are."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if packed:
            body = gzip.compress(body)
            given["Content-Encoding"] = "gzip"
        path = f"/v1/readings?gateway={self.gateway_id if gateway_id is None else gateway_id}"
        return self.service.request("POST", path, body, {**given, **(headers or {})})


def make_token(connection: psycopg.Connection[Any], organisation: str = "county", name: str = "phones") -> str:
    """Make a token as the command line does."""
    return token_book.add(connection, organisation=organisation, name=name, now=datetime.now(UTC))[1]
