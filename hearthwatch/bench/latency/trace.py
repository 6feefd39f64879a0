"""Finds the stamps of one raise in the books of those who saw it: devices, gateways, ingest, database, onlookers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from hearthwatch.bench.latency.stages import Stamp, Value, deciding
from hearthwatch.bench.latency.watch import AtTheBroker, Place, Seen
from ingest.feed import PARTITION_COUNT, from_payload
from vitals.clock import ClinicalClock

_STORED = """
    SELECT s.measured_at, s.spo2 / 100.0::float8, s.pulse / 100.0::float8, s.perfusion_index / 100.0::float8
      FROM sample s JOIN patient p USING (patient_id)
     WHERE p.key = %s AND s.spo2 IS NOT NULL ORDER BY s.measured_at
"""
_RECEIVED = """
    SELECT s.received_at, s.patient_id FROM sample s JOIN patient p USING (patient_id)
     WHERE p.key = %s AND s.measured_at = %s
"""
_LOGGED = """
    SELECT payload, pg_xact_commit_timestamp(xmin) FROM intake_log
     WHERE partition = %s AND received_at >= %s ORDER BY batch_id LIMIT 200
"""
_RECORDED = """
    SELECT pg_xact_commit_timestamp(xmin) FROM episode_event WHERE episode_id = %s AND kind = 'raised'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What was kept beside the database: by the devices (by address), at the broker; whose device is which."""

    sent: Mapping[str, Sequence[Value]]
    at_the_broker: Mapping[Place, AtTheBroker]
    address: Mapping[str, str]
    clock: ClinicalClock


def stored(connection: psycopg.Connection[Any], patient: str) -> list[Value]:
    """Read all that is stored of a patient's oximeter, in order of time."""
    return [(row[0], tuple(row[1:])) for row in connection.execute(_STORED, (patient,))]


def stamps_of(connection: psycopg.Connection[Any], seen: Seen, books: Books) -> dict[Stamp, datetime]:
    """Give the stamps of one episode; one that nobody kept is left out."""
    found = {
        Stamp.SENT: _sent(connection, seen, books),
        Stamp.HEARD: seen.raised_at,
        Stamp.TAKEN_UP: seen.detected_at,
        Stamp.VISIBLE: books.clock.at(seen.seen_at),
        **_at_ingest(connection, seen, books.clock),
    }
    passed = books.at_the_broker.get((books.address[seen.patient], _ms(seen.raised_at)))
    if passed is not None:
        found[Stamp.PUBLISHED] = passed.published_at
        found[Stamp.TOLD] = None if passed.told_at is None else books.clock.at(passed.told_at)
    recorded = connection.execute(_RECORDED, (seen.episode_id,)).fetchone()
    if recorded is not None:
        found[Stamp.RECORDED] = books.clock.at(recorded[0])
    return {stamp: at for stamp, at in found.items() if at is not None}


def _sent(connection: psycopg.Connection[Any], seen: Seen, books: Books) -> datetime | None:
    sent = books.sent.get(books.address[seen.patient], ())
    try:
        return sent[deciding(sent, stored(connection, seen.patient), seen.raised_at)][0]
    except ValueError:
        return None


def _at_ingest(connection: psycopg.Connection[Any], seen: Seen, clock: ClinicalClock) -> dict[Stamp, datetime]:
    row = connection.execute(_RECEIVED, (seen.patient, seen.raised_at)).fetchone()
    if row is None:
        return {}
    received_at, patient_id = row
    for payload, committed_at in connection.execute(_LOGGED, (patient_id % PARTITION_COUNT, received_at)):
        rows = from_payload(bytes(payload))
        if ((rows["patient"] == patient_id) & (rows["measured_ms"] == _ms(seen.raised_at))).any():
            return {Stamp.RECEIVED: received_at, Stamp.STORED: clock.at(committed_at)}
    return {Stamp.RECEIVED: received_at}


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
