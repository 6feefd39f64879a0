"""One reading for each fate that docs/ingest.md names, in an order in which each finds what it needs."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.ingest.county import LENT, OXIMETER, REGISTRY, UNBOUND, Home, rows_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RELENT = """
DELETE FROM binding WHERE device_id = 18;
INSERT INTO binding (device_id, patient_id, valid) VALUES
    (18, 2, tstzrange('2020-01-01 00:00+00', now() - interval '1 h')), (18, 3, tstzrange(now() - interval '1 h', NULL));
UPDATE registry_version SET version = version + 1;
"""
"""The service runs on the machine's clock: LENT has changed hands an hour ago."""

POISON = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.spo2 = 6666 THEN RAISE EXCEPTION 'this value is poison' USING ERRCODE = 'data_exception'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON sample FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@dataclass(frozen=True, kw_only=True)
class Fate:
    """A message, and what becomes of its reading; `counter` is the metric that moves by one.

    `over_http`: status and, of the answer, (outcome, reason), or the problem's name; None: it can not be said in JSON.
    """

    name: str
    payload: bytes
    counter: str
    over_http: tuple[int, str | tuple[str, str | None]] | None
    gateway_id: str = "gw-1"
    leaf: str = "readings/json"
    stores: int = 0
    refused: str | None = None
    kept_over_http: bool = True
    told: tuple[str, int] | None = None


@dataclass
class Outbox:
    """Numbers the readings of one outbox."""

    outbox_id: uuid.UUID = field(default_factory=uuid.uuid4)
    next_row: int = 0

    def reading(self, at_ms: int, value: float, *, device: str = OXIMETER, **changes: Any) -> dict[str, Any]:
        """Make a message of one SpO2 reading of a synchronised, live gateway, unless `changes` say otherwise."""
        row, self.next_row = self.next_row, self.next_row + 1
        return {
            "version": 1, "outbox_id": str(self.outbox_id), "first_row": row, "boot_id": 7, "t0_ms": at_ms,
            "sent_ms": at_ms, "synchronised": True, "backlog": False,
            "devices": [{"device": device, "acquisition": changes.pop("acquisition", "continuous")}],
            "offset_ms": [0], "device": [0], "signal": ["spo2"], "value": [value], **changes,
        }  # fmt: skip


def settle(county: psycopg.Connection[Any]) -> None:
    """Let there be somebody for each fate, and a database that refuses one value."""
    if not rows_of(county, "SELECT FROM gateway"):
        county.execute(REGISTRY)
    county.execute(RELENT.encode())
    county.execute(POISON.encode())


def fates(now_ms: int) -> Iterator[Fate]:
    """Give them in order."""
    own, other, stranger = Outbox(), Outbox(), Outbox()
    yield stored("on_time", own.reading(now_ms - 5_000, 97.0))
    late = own.reading(now_ms - 2 * HOUR_MS, 91.0)
    yield stored("late", late)
    yield told("same_row_again", late, "duplicates", (409, ("duplicate", "row_taken_before")))
    equal = other.reading(now_ms - 5_000, 97.0)
    yield told("same_reading_from_another_outbox", equal, "duplicates", (409, ("duplicate", "equal_value_stored")))
    yield refused("contradiction", other.reading(now_ms - 5_000, 88.0), "conflict", status=409)
    ahead = now_ms + HOUR_MS
    yield stored("future_live", own.reading(ahead, 96.0, sent_ms=ahead + 500), "clock_ahead")
    yield refused("future_stored", own.reading(ahead, 96.0, acquisition="stored"), "future")
    yield refused("too_old", own.reading(now_ms - 91 * DAY_MS, 96.0), "too_old")
    yield refused("unbound", own.reading(now_ms, 96.0, device=UNBOUND), "unbound_device")
    lent = own.reading(now_ms - 2 * HOUR_MS, 96.0, device=LENT, acquisition="stored")
    yield refused("ambiguous", lent, "ambiguous")
    yield refused("unknown_device", own.reading(now_ms, 96.0, device="C0:00:00:00:00:77"), "unknown_device")
    unknown = stranger.reading(now_ms, 96.0)
    yield Fate(
        name="unknown_gateway", payload=packed(unknown), gateway_id="gw-9",
        counter='rejected{reason="unknown_gateway"}', refused="unknown_gateway",
        told=row_of(unknown), over_http=(403, "gateway_not_allowed"), kept_over_http=False,
    )  # fmt: skip
    home = Home(outbox_id=own.outbox_id, next_row=40)
    yield Fate(
        name="unknown_signal", payload=home.message([(0, 99, 1)], t0_ms=now_ms), leaf="readings",
        counter='rejected{reason="unknown_signal"}', refused="unknown_signal", told=(str(own.outbox_id), 40),
        over_http=None,
    )  # fmt: skip
    foreign = own.reading(now_ms, 96.0, first_row=50)
    yield refused("foreign_outbox", foreign, "foreign_outbox", gateway_id="gw-2")
    demo = own.reading(now_ms - 2_000, 96.0, quality=["questionable"], reason=["demo"])
    yield refused("simulated", demo, "simulated")
    yield stored("implausible", own.reading(now_ms - 4_000, 250.0), "implausible")
    yield Fate(
        name="unreadable", payload=b"{", counter='rejected{reason="not_json"}', refused="not_json",
        over_http=(400, "not_json"),
    )  # fmt: skip
    yield refused("refused_by_the_database", own.reading(now_ms - 3_000, 66.66), "store_error")


def stored(name: str, document: dict[str, Any], counter: str = "readings") -> Fate:
    """Make one that is stored."""
    return Fate(
        name=name, payload=packed(document), counter=counter, stores=1, told=row_of(document),
        over_http=(200, ("stored", None)),
    )  # fmt: skip


def told(name: str, document: dict[str, Any], counter: str, over_http: tuple[int, tuple[str, str]]) -> Fate:
    """Make one of which nothing is kept, but that its sender may forget."""
    return Fate(name=name, payload=packed(document), counter=counter, told=row_of(document), over_http=over_http)


def refused(name: str, document: dict[str, Any], reason: str, *, status: int = 207, gateway_id: str = "gw-1") -> Fate:
    """Make one that is put aside."""
    return Fate(
        name=name, payload=packed(document), gateway_id=gateway_id, counter=f'rejected{{reason="{reason}"}}',
        refused=reason, told=row_of(document), over_http=(status, ("rejected", reason)),
    )  # fmt: skip


def packed(document: dict[str, Any]) -> bytes:
    """Write a message."""
    return json.dumps(document).encode()


def row_of(document: dict[str, Any]) -> tuple[str, int]:
    """Name a message's one row."""
    return str(document["outbox_id"]), int(document["first_row"])
