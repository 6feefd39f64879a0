"""Adds the demo up: what the devices sent, the outbox took, ingest stored or refused, and what is missing."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psycopg

from gateway.outbox.outbox import read_account
from ingest.feed import FEED_DTYPE, from_payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts of readings (one signal, one value).

    `notified`: values the devices sent over GATT, by their own count (no "not a number", no battery level).
    `accepted`: fsynced by the outbox, values and words like "finger out". `stored`: in `sample`; `values` are those
    of them that the devices' own count knows. `rejected`: in quarantine. `repeated`: accepted twice by the outbox,
    one value at one instant, stored once, as ingest counted. `lost`: accepted and neither stored, nor rejected, nor
    repeated, nor thinned. `duplicates`: stored more than once.
    """

    notified: int
    accepted: int
    stored: int
    values: int
    duplicates: int
    rejected: int
    repeated: int
    thinned: int
    lost: int

    @property
    def adds_up(self) -> bool:
        """Nothing lost, nothing doubled, nothing out of nowhere: accepted = stored + rejected + repeated + thinned."""
        return self.lost == 0 and self.duplicates == 0 and 0 < self.values <= self.notified

    @property
    def is_complete(self) -> bool:
        """Every value the devices sent is stored: so it is where no gateway was killed while they were sending."""
        return self.values + self.rejected + self.repeated == self.notified

    def as_line(self) -> dict[str, int]:
        """Give it as the JSON line's fields."""
        return asdict(self)


def waiting(outbox: Path) -> int:
    """Say how many accepted readings ingest has not acknowledged yet."""
    return read_account(outbox)[0].depth


def summarise(dsn: str, outbox: Path, devices_log: Path) -> Summary:
    """Count everything, from three independent books: the devices', the outbox's, the database's."""
    kept = read_account(outbox)[0]
    with psycopg.connect(dsn) as connection:
        stored = _number(connection, "SELECT count(*) FROM reading")
        values = _number(connection, "SELECT count(*) FROM reading WHERE value IS NOT NULL AND signal <> 'battery'")
        rejected = _number(connection, "SELECT COALESCE(sum(readings), 0) FROM rejected WHERE outbox_id IS NOT NULL")
        repeated = _number(connection, "SELECT COALESCE(sum(repeated), 0) FROM outbox_account")
        payloads = connection.execute("SELECT payload FROM intake_log WHERE kind = 'readings'").fetchall()
    fed = np.concatenate([from_payload(bytes(row[0])) for row in payloads] or [np.empty(0, FEED_DTYPE)])
    distinct = len(np.unique(fed[["patient", "device", "measured_ms", "signal"]]))
    return Summary(
        notified=_sent(devices_log),
        accepted=kept.accepted,
        stored=stored,
        values=values,
        duplicates=(len(fed) - distinct) + max(0, stored - distinct),
        rejected=rejected,
        repeated=repeated,
        thinned=kept.thinned,
        lost=kept.accepted - kept.thinned - len(fed) - rejected - repeated,
    )


def _number(connection: psycopg.Connection[tuple[int, ...]], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _sent(devices_log: Path) -> int:
    lines = [line for line in devices_log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    reports = [said for said in map(json.loads, lines) if "devices" in said]
    return sum(device["readings"] for device in reports[-1]["devices"]) if reports else 0
