"""A doctor's orders: limits of one patient's own, until a day; each noted with who, when and why, and never changed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerting.desk import Connection, Desk
from alerting.judging.limits import subject_of, today
from alerting.profile.orders import ordered_limit
from alerting.profile.patient import LimitRefused, held_to
from alerting.profile.profile import Profile
from care.registry import PersonRole
from vitals.sustained import Limit

MAY_ORDER = frozenset({PersonRole.FAMILY_DOCTOR, PersonRole.COUNTY_EXPERT})
REASON_CHARACTERS_MAX = 2000


class OrderError(ValueError):
    """An order can not be given or revoked; the message says why, in words a doctor reads."""


class NotAllowed(OrderError):
    """This person may not order limits."""


class NobodyThere(OrderError):
    """There is no such patient, person or order."""


class BadLimit(OrderError):
    """The limit is none that a patient may be held to."""


class BadPeriod(OrderError):
    """The order would end too late, or has ended."""


class NoReason(OrderError):
    """An order needs a word on why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What is ordered; `limit` and `clear_at` in the signal's unit, `patient` and `by` are keys of the registry."""

    patient: str
    rule: str
    limit: float
    clear_at: float | None
    reason: str
    until: datetime
    by: str


def order_limit(connection: Connection, order: NewOrder, *, profile: Profile, now: datetime) -> int:
    """Note an order and give its number; it wakes whoever holds the patient to it. Raises OrderError."""
    if not order.reason.strip() or len(order.reason) > REASON_CHARACTERS_MAX:
        raise NoReason(f"an order needs a reason of 1 to {REASON_CHARACTERS_MAX} characters; has {len(order.reason)}")
    latest = now + timedelta(milliseconds=profile.orders.valid_ms_max)
    if not now < order.until <= latest:
        raise BadPeriod(
            f"until {order.until:%F %R %Z}: an order ends after now, and by {latest:%F %R %Z} at the latest"
        )
    desk = Desk(connection=connection, profile=profile, now=now)
    with connection.transaction():
        person_id = _doctor(desk, order.by)
        patient_id = _patient(desk, order.patient)
        desk.run("lock_patient", patient_id=patient_id)
        limit = _limit(desk, patient_id, order)
        row = desk.one(
            "insert_order",
            patient_id=patient_id,
            rule=order.rule,
            breach=limit.breach,
            clear_at=limit.clear_at,
            reason=order.reason.strip(),
            person_id=person_id,
            until=order.until,
            now=now,
        )
    assert row is not None, "INSERT … RETURNING gives a row"
    return int(row.order_id)


def revoke_order(connection: Connection, order_id: int, *, by: str, profile: Profile, now: datetime) -> None:
    """End an order before its time. Raises OrderError."""
    desk = Desk(connection=connection, profile=profile, now=now)
    with connection.transaction():
        person_id = _doctor(desk, by)
        order = desk.one("lock_order", order_id=order_id)
        if order is None:
            raise NobodyThere(f"there is no order {order_id}")
        if order.revoked_at is not None or order.valid_until <= now:
            raise BadPeriod(f"order {order_id} ended at {order.revoked_at or order.valid_until:%F %R %Z}")
        desk.run("revoke_order", order_id=order_id, person_id=person_id, now=now)


def _doctor(desk: Desk, key: str) -> int:
    person = desk.one("actor", key=key)
    if person is None:
        raise NobodyThere(f"person {key!r} is not in the registry")
    if person.role not in MAY_ORDER:
        raise NotAllowed(f"{key!r} is {person.role}: only {' and '.join(sorted(MAY_ORDER))} order limits")
    return int(person.person_id)


def _patient(desk: Desk, key: str) -> int:
    patient = desk.one("patient_of_key", key=key)
    if patient is None:
        raise NobodyThere(f"patient {key!r} is not in the registry")
    return int(patient.patient_id)


def _limit(desk: Desk, patient_id: int, order: NewOrder) -> Limit:
    """Work out the limit, and try it together with all others the patient is held to."""
    row = desk.one("patients_to_hold", after=0, among=[patient_id], most=1, now=desk.now)
    assert row is not None, "the patient was found above"
    facts = subject_of(row).facts
    try:
        limit = ordered_limit(desk.profile, order.rule, order.limit, order.clear_at)
        held_to(desk.profile, replace(facts, orders={**facts.orders, order.rule: limit}), on=today(row, desk.now))
    except LimitRefused as exc:
        raise BadLimit(str(exc)) from exc
    return limit
