"""What people say over the file's roster: overrides, swaps, leave; who is on duty then, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from typer.testing import CliRunner

from care.changing_duty import accept_swap, known, override, propose_swap, revoke, take_leave
from care.commands import app
from care.duty import changes, family_doctors, on_duty, roster, roster_holes
from care.duty_changes import DutyRefused, Leave, Obstacle, Override, Span, Swap, instant_of, span_of
from care.loading import load
from care.registry import DutyRole
from tests.care.example import without_passwords

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHIFT = '[[duty]]\norganisation = "heping-centre"\nrole = "township_duty"\nperson = "zhao"\n'
TWO_SHIFTS = (
    SHIFT + "from = 2026-11-22T08:00:00Z\nuntil = 2026-11-24T08:00:00Z\n\n"
    '[[duty]]\norganisation = "heping-centre"\nrole = "township_duty"\nperson = "li"\n'
    "from = 2026-11-24T08:00:00Z\nuntil = 2026-11-26T08:00:00Z\n"
)
Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(any_database: str) -> Any:
    """A connection to a fresh database with the example in it, on each flavour; its zone is not the county's."""
    with psycopg.connect(any_database, autocommit=True, options="-c TimeZone=UTC") as opened:
        load(opened, without_passwords((SHIFT, TWO_SHIFTS)), now=NOW - DAY)
        yield opened


def number(connection: Connection, key: str) -> int:
    [found] = connection.execute("SELECT person_id FROM person WHERE key = %s", [key]).fetchone() or (0,)
    return int(found)


def place(connection: Connection, key: str = "liuzhuang-village") -> int:
    [found] = connection.execute("SELECT organisation_id FROM organisation WHERE key = %s", [key]).fetchone() or (0,)
    return int(found)


def there(connection: Connection, at: datetime, duty_role: str = "township_duty") -> list[str]:
    return [each.key for each in on_duty(connection, place(connection), duty_role, at)]


def span(begin_h: float, end_h: float) -> Span:
    return Span(since=NOW + begin_h * HOUR, until=NOW + end_h * HOUR)


def stand_in(connection: Connection, who: str, begin_h: float, end_h: float, **more: Any) -> int:
    now = more.pop("now", NOW)
    values = {"organisation": "heping-centre", "duty_role": DutyRole.TOWNSHIP_DUTY} | more
    wish = Override(person=who, span=span(begin_h, end_h), **values)
    return override(connection, wish, said_by=number(connection, "li"), now=now)


def away(connection: Connection, who: str, begin_h: float, end_h: float, substitute: str | None = None) -> int:
    wish = Leave(person=who, span=span(begin_h, end_h), substitute=substitute)
    return take_leave(connection, wish, said_by=number(connection, who), now=NOW)


def refusal(act: Any, *arguments: Any, **named: Any) -> Obstacle:
    with pytest.raises(DutyRefused) as refused:
        act(*arguments, **named)
    assert refused.value.obstacle in str(refused.value)
    return refused.value.obstacle


# ---- overrides -----------------------------------------------------------------------------------------------------


def test_an_override_takes_the_place_of_whoever_the_roster_names_half_open(connection: Connection) -> None:
    stand_in(connection, "chen", 1, 3)
    assert [there(connection, NOW + h * HOUR) for h in (0.99, 1, 2.99, 3)] == [["zhao"], ["chen"], ["chen"], ["zhao"]]
    listed = [(each.person, each.kind) for each in roster(connection, NOW, NOW + 5 * HOUR)
              if each.duty_role == "township_duty"]  # fmt: skip
    assert listed == [("zhao", "roster"), ("chen", "override"), ("zhao", "roster")]


def test_of_overlapping_overrides_the_later_word_holds(connection: Connection) -> None:
    stand_in(connection, "chen", 1, 5)
    stand_in(connection, "li", 2, 3)
    assert [there(connection, NOW + h * HOUR) for h in (1, 2, 3)] == [["chen"], ["li"], ["chen"]]


def test_one_of_two_may_be_stood_in_for_and_the_other_stays(connection: Connection) -> None:
    connection.execute("UPDATE person SET role = 'county_expert' WHERE key = 'lin'")
    where = {"organisation": "lead-hospital", "duty_role": DutyRole.COUNTY_EXPERT}
    stand_in(connection, "lin", 0, 2, in_place_of="wang", **where)
    assert sorted(there(connection, NOW, "county_expert")) == ["lin", "zhou"]
    stand_in(connection, "wang", 1, 2, in_place_of="lin", **where)
    assert sorted(there(connection, NOW + HOUR, "county_expert")) == ["wang", "zhou"]


def test_a_revoked_override_holds_no_more_and_did_until_then(connection: Connection) -> None:
    first = stand_in(connection, "chen", 0, 4)
    revoke(connection, first, person_id=number(connection, "li"), now=NOW + HOUR)
    assert [there(connection, NOW + h * HOUR) for h in (0.5, 1, 2)] == [["chen"], ["zhao"], ["zhao"]]
    assert refusal(revoke, connection, first, person_id=1, now=NOW + HOUR) is Obstacle.OVER
    (said,) = changes(connection, NOW, NOW + DAY)
    assert (said.standing, said.said_by, said.revoked_by_name) == ("revoked", "li", "李医生")


def test_a_change_is_a_history_that_nobody_rewrites(connection: Connection) -> None:
    stand_in(connection, "chen", 0, 4)
    for statement in (
        "DELETE FROM duty_change",
        "UPDATE duty_change SET reason = 'another'",
        "UPDATE duty_change SET revoked_by = 1, revoked_at = now(), person_id = 1",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="is history"):
            connection.execute(statement.encode())


def test_a_running_shift_is_handed_over_from_now_on(connection: Connection) -> None:
    taken = span_of(None, datetime.fromisoformat("2026-11-22T23:00"), "Asia/Shanghai", now=NOW)  # 15:00 UTC
    assert taken == Span(since=NOW, until=NOW + 3 * HOUR)
    wish = Override(organisation="heping-centre", duty_role=DutyRole.TOWNSHIP_DUTY, person="li", span=taken)
    override(connection, wish, said_by=number(connection, "li"), now=NOW)
    assert there(connection, NOW) == ["li"]


@pytest.mark.parametrize(
    ("who", "more", "why"),
    [
        ("wang", {}, Obstacle.WRONG_ROLE),
        ("sun", {}, Obstacle.WRONG_ROLE),
        ("nobody", {}, Obstacle.NO_PERSON),
        ("li", {"organisation": "nowhere"}, Obstacle.NO_ORGANISATION),
        ("li", {"organisation": "second-hospital"}, Obstacle.OUT_OF_REACH),
        ("li", {"in_place_of": "li"}, Obstacle.SAME_PERSON),
        ("li", {"now": NOW + 2 * HOUR}, Obstacle.PAST),
    ],
)
def test_who_can_not_hold_it_is_refused_by_name(
    connection: Connection, who: str, more: dict[str, Any], why: Obstacle
) -> None:
    assert refusal(stand_in, connection, who, 1, 3, **more) is why
    assert changes(connection, NOW, NOW + DAY) == []


def test_the_refusal_names_who_and_what_he_is(connection: Connection) -> None:
    with pytest.raises(DutyRefused, match="wang is county_expert; township_duty is held by: duty, family_doctor"):
        stand_in(connection, "wang", 1, 3)


@pytest.mark.parametrize(
    ("begin_h", "end_h", "why"), [(3, 3, Obstacle.EMPTY), (3, 1, Obstacle.EMPTY), (1, 9000, Obstacle.TOO_LONG)]
)
def test_a_time_that_is_none_is_refused(connection: Connection, begin_h: float, end_h: float, why: Obstacle) -> None:
    assert refusal(stand_in, connection, "chen", begin_h, end_h) is why


# ---- leave ---------------------------------------------------------------------------------------------------------


def test_who_is_away_is_not_on_duty_and_leaves_a_hole_that_is_seen(connection: Connection) -> None:
    assert roster_holes(connection, NOW, NOW + DAY) == []
    away(connection, "zhao", 2, 4)
    assert [there(connection, NOW + h * HOUR) for h in (1, 2, 4)] == [["zhao"], [], ["zhao"]]
    (hole,) = roster_holes(connection, NOW, NOW + DAY)
    assert (hole.since, hole.until, hole.duty_role) == (NOW + 2 * HOUR, NOW + 4 * HOUR, "township_duty")
    assert (hole.organisation, hole.roster_of) == ("liuzhuang-village", place(connection, "heping-centre"))
    stand_in(connection, "li", 2, 4)
    assert roster_holes(connection, NOW, NOW + DAY) == []


def test_who_is_away_can_not_be_put_on_duty_and_leave_said_later_beats_an_override(connection: Connection) -> None:
    away(connection, "li", 2, 4)
    assert refusal(stand_in, connection, "li", 3, 6) is Obstacle.ON_LEAVE
    stand_in(connection, "li", 4, 6)
    stand_in(connection, "chen", 8, 10)
    away(connection, "chen", 9, 10)
    assert [there(connection, NOW + h * HOUR) for h in (4, 8, 9)] == [["li"], ["chen"], []]
    assert [hole.since for hole in roster_holes(connection, NOW, NOW + DAY)] == [NOW + 9 * HOUR]


def numbers(connection: Connection, *people: str) -> list[int]:
    rows = connection.execute("SELECT key, person_id FROM person WHERE key = ANY(%s)", [list(people)]).fetchall()
    return [dict(rows)[key] for key in people]


def test_a_family_doctor_on_leave_is_stood_in_for(connection: Connection) -> None:
    li, zhao = numbers(connection, "li", "zhao")

    def asked(hours: float) -> str | None:
        doctors = family_doctors(connection, [li, zhao], NOW + hours * HOUR)
        assert doctors[zhao].key == "zhao"
        return doctors[li].key if li in doctors else None

    assert asked(0) == "li"
    away(connection, "li", 1, 5, "chen")
    assert [asked(h) for h in (0.9, 1, 4.9, 5)] == ["li", "chen", "chen", "li"]
    away(connection, "chen", 2, 3, "zhao")
    away(connection, "chen", 4, 5)
    assert [asked(h) for h in (2, 3, 4)] == ["zhao", "chen", None]


def test_two_who_stand_in_for_each_other_are_nobody(connection: Connection) -> None:
    away(connection, "li", 1, 5, "chen")
    away(connection, "chen", 1, 5, None)
    assert refusal(away, connection, "zhao", 1, 5, "li") is Obstacle.ON_LEAVE
    assert family_doctors(connection, numbers(connection, "li", "chen"), NOW + 2 * HOUR) == {}


@pytest.mark.parametrize(("who", "why"), [("wang", Obstacle.WRONG_ROLE), ("li", Obstacle.SAME_PERSON)])
def test_who_can_not_stand_in_is_refused(connection: Connection, who: str, why: Obstacle) -> None:
    assert refusal(away, connection, "li", 1, 5, who) is why


# ---- swaps ---------------------------------------------------------------------------------------------------------


def swap(connection: Connection, begin_h: float = 1, end_h: float = 3, **more: Any) -> int:
    wish = Swap(
        organisation="heping-centre",
        duty_role=DutyRole.TOWNSHIP_DUTY,
        person="zhao",
        span=span(begin_h, end_h),
        other=more.get("other", "li"),
        other_span=more.get("other_span", span(50, 52)),
    )
    return propose_swap(connection, wish, said_by=number(connection, "zhao"), now=NOW)


def test_a_swap_holds_once_the_other_agrees(connection: Connection) -> None:
    asked = swap(connection)
    assert [there(connection, NOW + h * HOUR) for h in (1, 50)] == [["zhao"], ["li"]]
    assert known(connection, asked).waits
    assert refusal(accept_swap, connection, asked, person_id=number(connection, "chen"), now=NOW) is Obstacle.NOT_ASKED
    accept_swap(connection, asked, person_id=number(connection, "li"), now=NOW)
    assert [there(connection, NOW + h * HOUR) for h in (0, 1, 3, 50, 52)] == [
        ["zhao"], ["li"], ["zhao"], ["zhao"], ["li"],
    ]  # fmt: skip
    again = refusal(accept_swap, connection, asked, person_id=number(connection, "li"), now=NOW)
    assert again is Obstacle.NOT_WAITING
    revoke(connection, asked, person_id=number(connection, "zhao"), now=NOW + 4 * HOUR)
    assert [there(connection, NOW + h * HOUR) for h in (2, 50)] == [["li"], ["li"]]  # what was is kept


def test_a_swap_is_refused_where_it_is_none(connection: Connection) -> None:
    assert refusal(swap, connection, other_span=span(10, 12)) is Obstacle.NOT_ON_DUTY  # that is his own
    assert refusal(swap, connection, 40, 50) is Obstacle.NOT_ON_DUTY  # not wholly his
    assert refusal(swap, connection, other="wang") is Obstacle.WRONG_ROLE
    asked = swap(connection)
    late = refusal(accept_swap, connection, asked, person_id=number(connection, "li"), now=NOW + 2 * HOUR)
    assert late is Obstacle.PAST
    away(connection, "li", 1, 2)
    assert refusal(accept_swap, connection, asked, person_id=number(connection, "li"), now=NOW) is Obstacle.ON_LEAVE
    revoke(connection, asked, person_id=number(connection, "li"), now=NOW)  # declined
    assert refusal(accept_swap, connection, asked, person_id=number(connection, "li"), now=NOW) is Obstacle.NOT_WAITING


def test_the_command_lists_changes_and_says_holes_in_local_time(
    connection: Connection, any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    begin = now + HOUR
    wish = Leave(person="wang", span=Span(since=begin, until=begin + HOUR), reason="training")
    take_leave(connection, wish, said_by=number(connection, "wang"), now=now)
    stands = {"organisation": "heping-centre", "duty_role": DutyRole.TOWNSHIP_DUTY, "person": "li"}
    taken = Override(**stands, span=Span(since=now, until=now + 2 * HOUR))  # type: ignore[arg-type]
    change_id = override(connection, taken, said_by=number(connection, "zhao"), now=now)
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", any_database)
    printed = CliRunner().invoke(app, ["roster", "--days", "1"]).stdout
    local = f"{begin.astimezone(ZoneInfo('Asia/Shanghai')):%F %H:%M} to "
    assert f"王主任(县专家组)  said by 王主任(县专家组): training  {local}" in printed
    assert f"heping-centre  township_duty  李医生 (override {change_id})" in printed
    lines = [json.loads(line) for line in CliRunner().invoke(app, ["roster", "--json"]).stdout.splitlines()]
    assert {(line["kind"], line.get("by")) for line in lines} >= {
        ("shift", "roster"), ("shift", "override"), ("change", "leave"), ("change", "override"),
    }  # fmt: skip


# ---- local time ----------------------------------------------------------------------------------------------------


def test_times_are_the_organisations_own_over_both_changes_of_clocks() -> None:
    london = "Europe/London"
    assert instant_of(datetime.fromisoformat("2026-07-01T08:00"), london) == datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert instant_of(datetime.fromisoformat("2026-12-01T08:00"), london) == datetime(2026, 12, 1, 8, tzinfo=UTC)
    twice = datetime.fromisoformat("2026-10-25T01:30")
    assert instant_of(twice, london) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant_of(twice, london, ends=True) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(DutyRefused, match="2027-03-28 01:30 does not exist in Europe/London"):
        instant_of(datetime.fromisoformat("2027-03-28T01:30"), london)
    assert instant_of(NOW, london) == NOW
    for said, zone in (
        ("0001-01-01T00:00", "Asia/Shanghai"),
        ("9999-12-31T23:59-12:00", london),
        ("2026-11-23", "X/Y"),
    ):
        assert refusal(instant_of, datetime.fromisoformat(said), zone) is Obstacle.NO_SUCH_TIME
    now = datetime(2026, 10, 24, tzinfo=UTC)
    night = span_of(
        datetime.fromisoformat("2026-10-24T20:00"), datetime.fromisoformat("2026-10-25T08:00"), london, now=now
    )
    assert night.until - night.since == 13 * HOUR  # the night in which the clocks go back
