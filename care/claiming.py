"""Claims and releases by a person, each in one transaction: the registry, the claim, the line that says who did it."""

from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.range import TimestamptzRange

from care.claims import CLAIMS_MAX, ClaimRefused, ClaimWish, Obstacle, is_bluetooth_address
from care.sql import load_queries

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("care")
_SHARED = load_queries("care", "registry.sql")["shared_device"]
_BIND = ("drop_bindings_to_come", "close_bindings", "shorten_bindings", "add_bindings")


def claim(connection: Connection, wish: ClaimWish, *, person_id: int, now: datetime) -> None:
    """Let a gateway read a device, entering it and binding it to who wears it. Raises ClaimRefused, nothing done."""
    values = {
        "gateway_id": wish.gateway_id,
        "device_key": wish.device_key,
        "driver": wish.driver,
        "person_id": person_id,
        "now": now,
    }
    with connection.transaction():
        connection.execute(_QUERIES["lock_registry"])
        _check(connection, wish)
        entered = _run(connection, "enter_device", {**values, **_entered(wish)})
        # Claimed again with another driver: the old claim ends, a new one stands.
        changed = _run(connection, "release_claim", {**values, "but_same_driver": True})
        changed += _run(connection, "add_claim", values)
        bound = _bind(connection, wish, now)
        if entered or bound:
            _announce_registry(connection)
        if changed:
            connection.execute(_QUERIES["notify_claims"])
        if changed or entered or bound:
            _record(connection, "claimed", values, driver=wish.driver, wearer=_wearer_of(wish), entered=bool(entered))


def release(
    connection: Connection, gateway_id: str, device_key: str, *, unbind: bool, person_id: int, now: datetime
) -> None:
    """Let a gateway read a device no more; `unbind`: nobody wears it either from now on. Raises ClaimRefused."""
    values = {"gateway_id": gateway_id, "device_key": device_key, "person_id": person_id, "now": now}
    with connection.transaction():
        connection.execute(_QUERIES["lock_registry"])
        if not _run(connection, "release_claim", {**values, "but_same_driver": False, "driver": None}):
            raise ClaimRefused(Obstacle.NOT_CLAIMED, f"{gateway_id} does not read {device_key}")
        if unbind and wear(connection, device_key, None, now):
            _announce_registry(connection)
        connection.execute(_QUERIES["notify_claims"])
        _record(connection, "released", values, unbind=unbind)


def _check(connection: Connection, wish: ClaimWish) -> None:
    if not is_bluetooth_address(wish.device_key):
        raise ClaimRefused(Obstacle.NO_ADDRESS, repr(wish.device_key[:64]))
    where = {"gateway_id": wish.gateway_id, "device_key": wish.device_key}
    if connection.execute(_QUERIES["gateway_exists"], where).fetchone() is None:
        raise ClaimRefused(Obstacle.NO_GATEWAY, repr(wish.gateway_id[:64]))
    [count] = connection.execute(_QUERIES["count_claims"], where).fetchone() or (0,)
    if count >= CLAIMS_MAX:
        raise ClaimRefused(Obstacle.TOO_MANY, f"{wish.gateway_id} reads {count} devices already")
    if wish.wearer and wish.wearer.patient_key is not None:
        if connection.execute(_SHARED, {"device": wish.device_key}).fetchone() is not None:
            raise ClaimRefused(Obstacle.SHARED, f"{wish.device_key} is bound for each measurement")
        who = {"patient_key": wish.wearer.patient_key}
        if connection.execute(_QUERIES["patient_exists"], who).fetchone() is None:
            raise ClaimRefused(Obstacle.NO_PATIENT, repr(wish.wearer.patient_key[:64]))


def _entered(wish: ClaimWish) -> dict[str, object]:
    return {"kind": wish.kind.value, "wellness": wish.wellness, "expected_every_s": wish.expected_every_s}


def _bind(connection: Connection, wish: ClaimWish, now: datetime) -> int:
    return 0 if wish.wearer is None else wear(connection, wish.device_key, wish.wearer.patient_key, now)


def wear(connection: Connection, device_key: str, patient_key: str | None, now: datetime) -> int:
    """Bind a device to a patient, or to nobody, from now on and without end; say how many intervals changed."""
    return bind(connection, device_key, patient_key, TimestamptzRange(now, None), now)


def bind(
    connection: Connection, device_key: str, patient_key: str | None, valid: TimestamptzRange, now: datetime
) -> int:
    """Bind a device to a patient for a time that begins now, or to nobody; say how many intervals changed."""
    values = {
        "device": device_key,
        "now": now,
        "patients": [] if patient_key is None else [patient_key],
        "wanted": [] if patient_key is None else [valid],
    }
    changes = sum(_run(connection, query, values) for query in _BIND)
    if changes:
        _run(connection, "mark_bound_by_hand", values)
    return changes


def _wearer_of(wish: ClaimWish) -> object:
    """Say in the record who wears it: a patient's key, null for nobody, "kept" where nothing was said of it."""
    return "kept" if wish.wearer is None else {"patient": wish.wearer.patient_key}


def _announce_registry(connection: Connection) -> None:
    connection.execute(_QUERIES["bump_registry"])
    connection.execute(_QUERIES["notify_registry"])


def _record(connection: Connection, act: str, values: dict[str, Any], **more: object) -> None:
    detail = {"gateway": values["gateway_id"], "device": values["device_key"], **more}
    who = {"now": values["now"], "person_id": values["person_id"], "act": act, "detail": Jsonb(detail)}
    connection.execute(_QUERIES["record_act"], who)


def _run(connection: Connection, query: str, values: dict[str, Any]) -> int:
    return connection.execute(_QUERIES[query], values).rowcount
