"""Writes down that a device was on somebody else: the line that says so, and the bindings as they are true."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.range import TimestamptzRange

from care.correction import Correction, CorrectionRefused, Interval, Wrong, check, corrected, covers, left_over
from care.keeping import announce, locked
from care.kit import SESSION
from care.sql import load_queries
from care.status import Status

Connection = psycopg.Connection[Any]
_REGISTRY = load_queries("care")
_QUERIES = load_queries("care", "registry.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whom and what a correction is about, by number; None: nobody."""

    device_id: int
    of_id: int | None
    to_id: int | None


def place_of(connection: Connection, said: Correction) -> Place:
    """Find the device and both patients. Raises CorrectionRefused."""
    device = _one(connection, "device_of_key", device=said.device)
    if device is None:
        raise CorrectionRefused(Wrong.NO_DEVICE, f"there is no device {said.device!r}")
    return Place(
        device_id=device["device_id"], of_id=_patient(connection, said.of), to_id=_patient(connection, said.to)
    )


def correct(
    connection: Connection, said: Correction, *, kept_since: datetime | None, person_id: int, now: datetime
) -> int:
    """Correct who wore a device, in the caller's transaction or its own; gives the correction.

    `kept_since`: before it single readings are gone. What was measured is moved behind it, by who follows
    `care_binding_correction`. Raises CorrectionRefused.
    """
    check(said, kept_since=kept_since, now=now)
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        place = place_of(connection, said)
        worn = _worn(connection, place, said)
        _check_worn(worn, place, said, now)
        _check_shared(connection, said, now)
        _check_alive(connection, said)
        _rewrite(connection, worn, place, said, now)
        connection.execute(_REGISTRY["mark_bound_by_hand"], {"device": said.device})
        announce(connection)
        line = _one(
            connection,
            "add_correction",
            device_id=place.device_id,
            of_id=place.of_id,
            to_id=place.to_id,
            since=said.since,
            until=said.until,
            reason=said.reason.strip(),
            person_id=person_id,
            now=now,
        )
    assert line is not None, "an insert returns its row"
    return int(line["correction_id"])


def _check_worn(worn: list[dict[str, Any]], place: Place, said: Correction, now: datetime) -> None:
    others = [each for each in worn if each["patient_id"] != place.of_id]
    if others:
        since = others[0]["since"]
        begin = "ever" if since is None else since.isoformat()
        way_out = "correct each wearer's time by itself"
        raise CorrectionRefused(
            Wrong.OVERLAPS, f"{said.device} is bound to another since {begin}, within that time: {way_out}"
        )
    if said.of is not None and not covers([_interval(each) for each in worn], said, now=now):
        raise CorrectionRefused(
            Wrong.NOT_WORN,
            f"{said.of!r} is not bound to {said.device} for the whole of that time: correct only the time that he is",
        )


def _check_shared(connection: Connection, said: Correction, now: datetime) -> None:
    """What residents share is bound for one measurement, also afterwards."""
    shared = _one(connection, "shared_device", device=said.device)
    if shared is not None and said.to is not None and (said.until or now) - said.since > SESSION:
        raise CorrectionRefused(
            Wrong.SHARED, f"{said.device} is shared: correct one measurement at a time, {SESSION} at most"
        )


def _check_alive(connection: Connection, said: Correction) -> None:
    """Who has died wears nothing any more (care/keeping.py)."""
    if said.to is not None and said.until is None and locked(connection, said.to)["status"] == Status.DEAD:
        raise CorrectionRefused(Wrong.DEAD, f"{said.to!r} is dead: say until when {said.device} was worn")


def _rewrite(connection: Connection, worn: list[dict[str, Any]], place: Place, said: Correction, now: datetime) -> None:
    """Bind the device to who wore it. Old intervals go first, so that none ever overlaps another."""
    rows: list[tuple[int, TimestamptzRange, datetime]] = []
    for each in worn:
        connection.execute(_QUERIES["drop_binding"], {"binding_id": each["binding_id"]})
        rows += [(place.of_id or 0, _range(part), each["entered_at"]) for part in left_over(_interval(each), said)]
        if place.to_id is not None:
            rows.append((place.to_id, _range(corrected(_interval(each), said)), now))
    if place.of_id is None and place.to_id is not None:
        rows.append((place.to_id, TimestamptzRange(said.since, said.until), now))
    for patient_id, valid, entered_at in rows:
        values = {"device_id": place.device_id, "patient_id": patient_id, "valid": valid, "entered_at": entered_at}
        connection.execute(_QUERIES["add_binding"], values)


def _worn(connection: Connection, place: Place, said: Correction) -> list[dict[str, Any]]:
    """Give the bindings of that time; one that goes on has no end."""
    with connection.cursor(row_factory=dict_row) as cursor:
        values = {"device_id": place.device_id, "since": said.since, "until": said.until}
        return cursor.execute(_QUERIES["bindings_in_time"], values).fetchall()


def _patient(connection: Connection, key: str | None) -> int | None:
    if key is None:
        return None
    found = _one(connection, "patient_number", key=key)
    if found is None:
        raise CorrectionRefused(Wrong.NO_PATIENT, f"there is no patient {key!r}")
    return int(found["patient_id"])


def _interval(row: dict[str, Any]) -> Interval:
    return Interval(since=row["since"], until=row["until"])


def _range(interval: Interval) -> TimestamptzRange:
    return TimestamptzRange(interval.since, interval.until)


def _one(connection: Connection, query: str, **values: object) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_QUERIES[query], values).fetchone()
