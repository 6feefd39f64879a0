"""Changes of the roster by a person, each in one transaction. Who may say what is the caller's to decide.

A change is seen from the next look on: whoever pages asks anew who is on duty.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from care.duty_changes import (
    KEEPS_ROSTER,
    REASON_CHARACTERS_MAX,
    STANDS_IN,
    DutyRefused,
    Leave,
    Obstacle,
    Override,
    Span,
    Swap,
    check_holder,
    check_reach,
    checked,
)
from care.registry import DutyRole, PersonRole
from care.sql import load_queries

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("care")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A change as it stands, for who has to decide whether it may be accepted or revoked: everybody by number.

    `organisation_id`: whose roster it changes, or where the one on leave is employed. `other_id`: who is asked to swap.
    """

    change_id: int
    kind: str
    organisation_id: int
    person_id: int
    said_by: int
    other_id: int | None
    waits: bool


def override(connection: Connection, wish: Override, *, said_by: int, now: datetime) -> int:
    """Put somebody on duty in a time; gives the change's number. Raises DutyRefused, nothing done."""
    checked(wish.span, now=now)
    with connection.transaction():
        connection.execute(_QUERIES["lock_registry"])
        place = _place(connection, wish.organisation)
        holder = _holder(connection, wish.person, place, wish.duty_role)
        replaced = None if wish.in_place_of is None else _person(connection, wish.in_place_of, place.organisation_id)
        if replaced is not None and replaced.person_id == holder.person_id:
            raise DutyRefused(Obstacle.SAME_PERSON, f"{wish.person} can not stand in for himself")
        _check_there(connection, holder, wish.span)
        return _add(
            connection,
            kind="override",
            organisation_id=place.organisation_id,
            duty_role=wish.duty_role,
            person_id=holder.person_id,
            in_place_of_id=None if replaced is None else replaced.person_id,
            span=wish.span,
            reason=wish.reason,
            said_by=said_by,
            now=now,
        )


def take_leave(connection: Connection, wish: Leave, *, said_by: int, now: datetime) -> int:
    """Note that somebody is away in a time; gives the change's number. Raises DutyRefused, nothing done."""
    checked(wish.span, now=now)
    with connection.transaction():
        connection.execute(_QUERIES["lock_registry"])
        person = _person(connection, wish.person, None)
        substitute = None
        if wish.substitute is not None:
            substitute = _substitute(connection, wish.substitute, person)
            _check_there(connection, substitute, wish.span)
        return _add(
            connection,
            kind="leave",
            person_id=person.person_id,
            substitute_id=None if substitute is None else substitute.person_id,
            span=wish.span,
            reason=wish.reason,
            said_by=said_by,
            now=now,
        )


def propose_swap(connection: Connection, wish: Swap, *, said_by: int, now: datetime) -> int:
    """Ask somebody to exchange two times; gives the swap's number. It holds once accepted. Raises DutyRefused."""
    checked(wish.span, now=now)
    checked(wish.other_span, now=now)
    with connection.transaction():
        connection.execute(_QUERIES["lock_registry"])
        place = _place(connection, wish.organisation)
        asks = _holder(connection, wish.person, place, wish.duty_role)
        other = _holder(connection, wish.other, place, wish.duty_role)
        if asks.person_id == other.person_id:
            raise DutyRefused(Obstacle.SAME_PERSON, f"{wish.person} can not swap with himself")
        halves = ((other, asks, wish.span), (asks, other, wish.other_span))
        for taker, giver, span in halves:
            _check_half(connection, taker, giver, place.organisation_id, wish.duty_role, span)
        numbers = [_one(connection, "next_duty_change").change_id for _ in halves]
        connection.execute(
            _QUERIES["add_swap"],
            {
                "swap_id": numbers[0],
                "organisation_id": place.organisation_id,
                "duty_role": wish.duty_role.value,
                "numbers": numbers,
                "people": [taker.person_id for taker, _, _ in halves],
                "others": [giver.person_id for _, giver, _ in halves],
                "since": [span.since for _, _, span in halves],
                "until": [span.until for _, _, span in halves],
                "reason": wish.reason[:REASON_CHARACTERS_MAX],
                "said_by": said_by,
                "now": now,
            },
        )
        return int(numbers[0])


def accept_swap(connection: Connection, change_id: int, *, person_id: int, now: datetime) -> None:
    """Agree to a swap as the one who was asked: it holds from now on. Raises DutyRefused."""
    with connection.transaction():
        connection.execute(_QUERIES["lock_registry"])
        rows = _rows(connection, change_id)
        first = rows[0]
        if first.kind != "swap" or first.accepted_at is not None or first.revoked_at is not None:
            raise DutyRefused(Obstacle.NOT_WAITING, f"change {change_id} waits for nobody's word")
        if first.person_id != person_id:
            raise DutyRefused(Obstacle.NOT_ASKED, f"change {change_id} waits for somebody else's word")
        for row in rows:
            span = checked(Span(since=row.since, until=row.until), now=now)
            taker, giver = _by_number(connection, row.person_id), _by_number(connection, row.in_place_of_id)
            _check_half(connection, taker, giver, row.organisation_id, DutyRole(row.duty_role), span)
        connection.execute(_QUERIES["accept_swap"], {"swap_id": first.swap_id, "person_id": person_id, "now": now})


def revoke(connection: Connection, change_id: int, *, person_id: int, now: datetime) -> None:
    """End a change, or take a swap back or decline it: from now on it holds no more. Raises DutyRefused."""
    with connection.transaction():
        rows = _rows(connection, change_id)
        if rows[0].revoked_at is not None or all(row.until <= now for row in rows):
            raise DutyRefused(Obstacle.OVER, f"change {change_id} is revoked or over already")
        who = {"change_id": change_id, "swap_id": rows[0].swap_id, "person_id": person_id, "now": now}
        connection.execute(_QUERIES["revoke_duty_change"], who)


def place_of(connection: Connection, key: str) -> Any:
    """Give an organisation by key, with its time zone. Raises DutyRefused."""
    return _place(connection, key)


def person_of(connection: Connection, key: str) -> Any:
    """Give a person by key, with the time zone of where he is employed. Raises DutyRefused."""
    return _person(connection, key, None)


def keeps_roster_of(connection: Connection, by: str, *, of: str, at: str | None) -> bool:
    """Say whether somebody keeps the roster of an organisation (None: of where somebody else is employed)."""
    where = _person(connection, of, None).organisation_id if at is None else _place(connection, at).organisation_id
    keeper = _person(connection, by, where)
    return keeper.is_above and PersonRole(keeper.role) in KEEPS_ROSTER


def known(connection: Connection, change_id: int) -> Known:
    """Give a change as it stands. Raises DutyRefused where there is none."""
    first = _rows(connection, change_id)[0]
    swaps = first.kind == "swap"
    return Known(
        change_id=first.change_id,
        kind=first.kind,
        organisation_id=first.whose_id,
        person_id=first.in_place_of_id if swaps else first.person_id,
        said_by=first.said_by,
        other_id=first.person_id if swaps else None,
        waits=first.accepted_at is None and first.revoked_at is None,
    )


def _check_half(
    connection: Connection, taker: Any, giver: Any, organisation_id: int, duty_role: DutyRole, span: Span
) -> None:
    """See that the giver holds this time wholly, and that the taker is there in it."""
    where = {"organisation_id": organisation_id, "duty_role": duty_role.value, "person_id": giver.person_id}
    if not _one(connection, "holds_throughout", **where, since=span.since, until=span.until).holds:
        said = f"{giver.key} does not hold {duty_role} from {span.since:%F %H:%M} to {span.until:%F %H:%M} UTC"
        raise DutyRefused(Obstacle.NOT_ON_DUTY, said)
    _check_there(connection, taker, span)


def _check_there(connection: Connection, person: Any, span: Span) -> None:
    away = _first(connection, "leave_of", person_id=person.person_id, since=span.since, until=span.until)
    if away is not None:
        said = f"{person.key} is away from {away.since:%F %H:%M} to {away.until:%F %H:%M} UTC"
        raise DutyRefused(Obstacle.ON_LEAVE, said)


def _place(connection: Connection, key: str) -> Any:
    found = _first(connection, "duty_place", key=key)
    if found is None:
        raise DutyRefused(Obstacle.NO_ORGANISATION, repr(key[:64]))
    return found


def _person(connection: Connection, key: str, organisation_id: int | None) -> Any:
    found = _first(connection, "duty_person", key=key, organisation_id=organisation_id)
    if found is None:
        raise DutyRefused(Obstacle.NO_PERSON, repr(key[:64]))
    return found


def _by_number(connection: Connection, person_id: int) -> Any:
    return _one(connection, "duty_person_by_number", person_id=person_id)


def _holder(connection: Connection, key: str, place: Any, duty_role: DutyRole) -> Any:
    person = _person(connection, key, place.organisation_id)
    role = PersonRole(person.role)
    check_holder(key, role, duty_role, is_above=person.is_above, same_county=person.same_county)
    return person


def _substitute(connection: Connection, key: str, away: Any) -> Any:
    found = _person(connection, key, away.organisation_id)
    role = PersonRole(found.role)
    if found.person_id == away.person_id:
        raise DutyRefused(Obstacle.SAME_PERSON, f"{key} can not stand in for himself")
    if role not in STANDS_IN:
        able = ", ".join(sorted(STANDS_IN))
        raise DutyRefused(Obstacle.WRONG_ROLE, f"{key} is {role}; a substitute is one of: {able}")
    check_reach(key, role, is_above=found.is_above, same_county=found.same_county)
    return found


def _rows(connection: Connection, change_id: int) -> list[Any]:
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(_QUERIES["duty_change"], {"change_id": change_id}).fetchall()
    if not rows:
        raise DutyRefused(Obstacle.NO_CHANGE, f"there is no change {change_id}")
    return rows


def _add(connection: Connection, *, kind: str, span: Span, reason: str, **said: Any) -> int:
    blank = dict.fromkeys(("organisation_id", "duty_role", "in_place_of_id", "substitute_id"))
    values = {"kind": kind, "since": span.since, "until": span.until, "reason": reason[:REASON_CHARACTERS_MAX]}
    return int(_one(connection, "add_duty_change", **(blank | said | values)).change_id)


def _one(connection: Connection, query: str, **values: Any) -> Any:
    found = _first(connection, query, **values)
    assert found is not None, "the statement always gives a row"
    return found


def _first(connection: Connection, query: str, **values: Any) -> Any:
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(_QUERIES[query], values).fetchone()
