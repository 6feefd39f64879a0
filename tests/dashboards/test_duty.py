"""The duty page: a week as bands, holes in red with words; taking over, leave, swaps; who may say what."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Page, expect

from alerting.desk import Desk, connect
from alerting.profile.file import parse_profile, standard_adult
from alerting.technical.look import look
from care.shifts import Shift
from dashboards.duty_picture import LANE, Organisation, sheet_of, week_of
from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

PEOPLE = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES
    (5, 'ma-hong', '马红', 'Ma Hong', 1, 'coordinator', 2), (6, 'he-jun', '何军', 'He Jun', 2, 'duty', 2),
    (7, 'ops', '运维组', 'Operations', 1, 'operations', 2), (8, 'qian-yi', '钱一', 'Qian Yi', 2, 'coordinator', 2),
    (9, 'lin-yue', '林月', 'Lin Yue', 4, 'referral_desk', 3);
INSERT INTO duty (organisation_id, duty_role, person_id, valid) VALUES
    (1, 'county_expert', 3, '[2020-01-01 00:00+00,)'), (1, 'operations', 7, '[2020-01-01 00:00+00,)'),
    (3, 'township_duty', 2, '[2020-01-01 00:00+00,)');
"""
HOUR = timedelta(hours=1)


def shift(db: Any, person_id: int, begin: datetime, end: datetime) -> None:
    db.execute(
        "INSERT INTO duty (organisation_id, duty_role, person_id, valid) VALUES (2, 'township_duty', %s,"
        " tstzrange(%s, %s))",
        [person_id, begin, end],
    )


@pytest.fixture
def midnight(console: Console) -> datetime:
    """Qingshi's township duty: Wu Jie and He Jun by turns from now to the third midnight; then nobody for 12 hours."""
    now = datetime.now(UTC)
    first = week_of(now, "Asia/Shanghai").begin
    with console.rows() as db:
        db.execute(PEOPLE.encode())
        for day in range(7):
            person_id = 4 if day % 2 == 0 else 6
            begin = first + timedelta(days=day) + (12 * HOUR if day == 3 else 0 * HOUR)
            shift(db, person_id, begin, first + timedelta(days=day + 1))
    return first


@pytest.fixture
def keeper(console: Console, midnight: datetime) -> Iterator[httpx.Client]:
    assert midnight
    with api(console, "ma-hong") as opened:
        yield opened


def at(page: Page, console: Console, key: str) -> None:
    enter(page, console, key)
    page.goto(console.url + "/duty")


def local(instant: datetime) -> str:
    return f"{instant.astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m-%dT%H:%M}"


def there(client: httpx.Client, role: str = "township_duty") -> list[tuple[str, str]]:
    shifts = client.get("/api/v1/duty", params={"days": 8}).json()["shifts"]
    return [
        (each["person"], each["kind"])
        for each in shifts
        if (each["organisation"], each["duty_role"]) == ("qingshi", role)
    ]


# ---- the picture ---------------------------------------------------------------------------------------------------


def test_a_week_is_drawn_in_per_cent_also_when_clocks_change() -> None:
    place = Organisation(organisation_id=1, key="x", name="X", name_en="X", time_zone="Europe/London")
    now = datetime(2026, 10, 20, 12, tzinfo=UTC)
    week = week_of(now, place.time_zone)
    assert week.end - week.begin == timedelta(days=7, hours=1)
    assert sheet_of(place, week, shifts=[], holes=[], leave=[], now=now) is None
    who = {"organisation_id": 1, "organisation": "x", "time_zone": place.time_zone, "duty_role": "township_duty",
           "person_id": 1, "kind": "roster", "change_id": None}  # fmt: skip
    end = week.end
    night = end - 36 * HOUR  # the night to the 26th, after the clocks went back
    shifts = [
        Shift(**who, person="a", name="A", name_en="A", since=week.begin, until=end),  # type: ignore[arg-type]
        Shift(**who, person="b", name="B", name_en="B", since=night, until=end),  # type: ignore[arg-type]
    ]
    sheet = sheet_of(place, week, shifts=shifts, holes=[], leave=[], now=now)
    assert sheet is not None
    (band,) = sheet.bands
    assert [(stripe.x, stripe.width, stripe.y) for stripe in band.stripes] == [(0, 100, 0), (78.698, 21.302, LANE)]
    starts = [x for x, _ in sheet.days]
    longest = max(b - a for a, b in zip(starts, [*starts[1:], 100], strict=True))
    assert longest == pytest.approx(100 * 25 / 169, abs=0.01)
    assert sheet.now_x == pytest.approx(100 * 13 / 169, abs=0.01)


def test_the_week_shows_who_and_the_hole_with_words(console: Console, open_page: OpenPage, midnight: datetime) -> None:
    assert midnight
    page = open_page()
    at(page, console, "ma-hong")
    band = page.locator("#roster-qingshi .roster__row", has_text="乡镇值班")
    expect(band.locator(".stripe--roster")).to_have_count(7)
    expect(band.locator(".stripe__name").first).to_have_text("吴杰")
    expect(band.locator(".stripe--hole")).to_have_count(1)
    expect(page.locator("#roster-qingshi .roster__hole")).to_contain_text("无人值班： 乡镇值班")
    expect(page.locator(".duty__alarm")).to_contain_text("红色斜线时段无人值班")
    expect(page.locator("#roster-liuhe .stripe--hole")).to_have_count(0)


def test_on_a_phone_only_the_band_scrolls(console: Console, open_page: OpenPage, midnight: datetime) -> None:
    assert midnight
    page = open_page(size=PHONE, language="en-GB")
    at(page, console, "wu-jie")
    expect(page.locator("#roster-qingshi .roster__hole")).to_contain_text("Nobody: Township duty")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_function(  # asked again: the list renews itself, and what has left the page has no width
        "() => (each => each && each.scrollWidth > each.clientWidth)"
        "(document.querySelector('#roster-qingshi .roster__scroll'))"
    )


def test_the_alarm_of_a_hole_says_which_duty_and_from_when(console: Console, midnight: datetime) -> None:
    profile = parse_profile(standard_adult())
    with connect(console.dsn, "test") as connection:
        desk = Desk(connection=connection, profile=profile, now=midnight + timedelta(days=2, hours=1))
        desk.run("save_profile", profile_hash=profile.profile_hash, name=profile.name, body=profile.body, now=desk.now)
        assert look(desk) >= 1
    with api(console, "ma-hong") as client:
        shown = client.get("/").text
        (alarm,) = [each for each in client.get("/api/v1/episodes").json() if each["rule"] == "TECH-ROSTER"]
        page = client.get(f"/alarms/{alarm['episode_id']}").text
    assert alarm["subject"] == "roster:2:township_duty"
    assert "值班表有空缺" in shown
    assert re.search(r"青石镇卫生院</b> <span class=\"who__bed\">乡镇值班", shown)
    assert re.search(r"乡镇值班自\d+月\d+日 00:00起无人值班", page)
    assert "涉及 qingshi 乡镇值班" in page


# ---- what one does -------------------------------------------------------------------------------------------------


def test_who_keeps_the_roster_fills_a_hole(console: Console, open_page: OpenPage, midnight: datetime) -> None:
    page = open_page()
    at(page, console, "ma-hong")
    page.click("summary:has-text('接班／交班')")
    page.select_option("select[name=post]", "qingshi|township_duty")
    page.select_option(".decision[open] select[name=person]", "he-jun")
    page.fill(".decision[open] input[name=since]", local(midnight + timedelta(days=3)))
    page.fill(".decision[open] input[name=until]", local(midnight + timedelta(days=3, hours=12)))
    page.click(".decision[open] button:has-text('确认')")
    expect(page.locator("#roster-qingshi .stripe--override")).to_have_count(1)
    expect(page.locator(".roster .stripe--hole")).to_have_count(0)
    expect(page.locator(".said__one")).to_contain_text("何军")
    page.click("button:has-text('撤销')")
    expect(page.locator(".roster .stripe--hole")).to_have_count(1)
    expect(page.locator(".said__standing")).to_have_text("已撤销")


def test_a_doctor_takes_over_himself_and_is_away(console: Console, open_page: OpenPage, midnight: datetime) -> None:
    page = open_page()
    at(page, console, "li-min")
    page.click("summary:has-text('接班／交班')")
    page.select_option("select[name=post]", "qingshi|township_duty")
    page.fill(".decision[open] input[name=until]", local(datetime.now(UTC) + 2 * HOUR))
    page.click(".decision[open] button:has-text('确认')")
    expect(page.locator("#roster-qingshi .stripe__name--override")).to_contain_text("李敏")
    page.click("summary:has-text('我要休假')")
    page.select_option("select[name=substitute]", "wu-jie")
    page.fill(".decision[open] input[name=since]", local(midnight + timedelta(days=2)))
    page.fill(".decision[open] input[name=until]", local(midnight + timedelta(days=4)))
    page.fill(".decision[open] input[name=reason]", "进修")
    page.click(".decision[open] button:has-text('确认')")
    expect(page.locator("#roster-qingshi .stripe--away")).to_have_count(1)
    expect(page.locator(".said__one").first).to_contain_text("由 吴杰 代理")
    expect(page.locator(".said__one").first).to_contain_text("进修")


def test_a_refusal_is_said_in_words(console: Console, open_page: OpenPage, midnight: datetime) -> None:
    page = open_page()
    at(page, console, "ma-hong")
    page.click("summary:has-text('接班／交班')")
    page.select_option("select[name=post]", "qingshi|township_duty")
    page.select_option(".decision[open] select[name=person]", "chen-gang")
    page.fill(".decision[open] input[name=until]", local(midnight + timedelta(days=3)))
    page.click(".decision[open] button:has-text('确认')")
    expect(page.locator("#trouble-duty-override")).to_contain_text("此人的岗位不能担任该值班")
    expect(page.locator("#trouble-duty-override")).to_contain_text("chen-gang is county_expert")


def test_a_swap_holds_when_the_other_agrees(console: Console, open_page: OpenPage, midnight: datetime) -> None:
    page = open_page()
    at(page, console, "he-jun")
    page.click("summary:has-text('换班')")
    page.select_option("select[name=mine]", index=1)
    page.select_option("select[name=theirs]", index=1)
    page.click("button:has-text('提出')")
    expect(page.locator(".said__one--waiting")).to_have_count(2)
    expect(page.locator(".roster .stripe--swap")).to_have_count(0)
    other = open_page()
    at(other, console, "wu-jie")
    other.click("button:has-text('同意')")
    expect(other.locator("#roster-qingshi .stripe--swap")).to_have_count(2)
    with api(console, "he-jun") as client:
        assert [kind for _, kind in there(client)].count("swap") == 2
    assert midnight


# ---- who may -------------------------------------------------------------------------------------------------------


def override(client: httpx.Client, person: str | None = None, **more: Any) -> httpx.Response:
    until = (datetime.now(UTC) + 3 * HOUR).isoformat()
    body = {"organisation": "qingshi", "duty_role": "township_duty", "person": person, "until": until} | more
    return client.post("/api/v1/duty/override", json=body)


def leave(client: httpx.Client, person: str | None = None, **more: Any) -> httpx.Response:
    body = {"person": person, "until": (datetime.now(UTC) + 3 * HOUR).isoformat()} | more
    return client.post("/api/v1/duty/leave", json=body)


@pytest.mark.parametrize(
    ("key", "himself", "other", "leave_of_other"),
    [
        ("ma-hong", 409, 200, 200),  # a coordinator holds no duty himself
        ("qian-yi", 409, 200, 200),
        ("li-min", 200, 403, 403),
        ("wu-jie", 200, 403, 403),
        ("zhou-lan", 404, 404, 403),  # of another township
        ("chen-gang", 409, 403, 403),
        ("lin-yue", 404, 404, 403),  # of the county's hospital, which is beside
    ],
)
def test_who_may_say_what(
    console: Console, midnight: datetime, key: str, himself: int, other: int, leave_of_other: int
) -> None:
    assert midnight
    with api(console, key) as client:
        assert override(client).status_code == himself
        assert override(client, "he-jun").status_code == other
        assert leave(client, "li-min" if key != "li-min" else "wu-jie").status_code == leave_of_other
        assert leave(client).status_code == 200


def test_who_keeps_a_townships_roster_keeps_no_other(console: Console, midnight: datetime) -> None:
    assert midnight
    with api(console, "qian-yi") as client:
        assert override(client, "zhou-lan", organisation="liuhe").status_code == 404
        assert override(client, "chen-gang", organisation="anning", duty_role="county_expert").status_code == 403
        assert leave(client, "zhou-lan").status_code == 403


def test_the_api_refuses_by_name_and_takes_back_once(console: Console, keeper: httpx.Client) -> None:
    wrong = override(keeper, "chen-gang")
    assert (wrong.status_code, "wrong_role: chen-gang is county_expert" in wrong.json()["detail"]) == (409, True)
    assert override(keeper, "he-jun", since="2020-01-01T00:00").status_code == 409
    assert override(keeper, "he-jun", until="soon").status_code == 422
    assert override(keeper, "he\0jun").status_code == 422
    assert override(keeper, "he-jun", until="9999-12-31T23:59:00-12:00").status_code == 409
    assert override(keeper, "he-jun", until="0001-01-01T00:00:00").status_code == 409
    number = override(keeper, "he-jun").json()["change_id"]
    with api(console, "zhou-lan") as other:
        assert other.post(f"/api/v1/duty/changes/{number}/revoke").status_code == 404
    with api(console, "wu-jie") as other:
        assert other.post(f"/api/v1/duty/changes/{number}/revoke").status_code == 403
    assert keeper.post(f"/api/v1/duty/changes/{number}/revoke").status_code == 200
    assert keeper.post(f"/api/v1/duty/changes/{number}/revoke").status_code == 409
    assert keeper.post("/api/v1/duty/changes/9999/accept").status_code == 404


def test_what_is_read_is_what_concerns_one(console: Console, keeper: httpx.Client) -> None:
    override(keeper, "he-jun")
    read = keeper.get("/api/v1/duty", params={"days": 7}).json()
    assert {each["organisation"] for each in read["shifts"]} == {"anning", "qingshi", "liuhe"}
    assert {each["organisation"] for each in read["holes"]} == {"qingshi", "qingshi-home"}
    assert [each["person"] for each in read["changes"]] == ["he-jun"]
    with api(console, "zhou-lan") as client:
        read = client.get("/api/v1/duty", params={"days": 7}).json()
    assert {each["organisation"] for each in read["shifts"]} == {"anning", "liuhe"}
    assert (read["holes"], read["changes"]) == ([], [])


# ---- handover ------------------------------------------------------------------------------------------------------


def test_who_comes_finds_what_is_open_and_reads_what_was_written(
    console: Console, open_page: OpenPage, midnight: datetime
) -> None:
    with console.rows() as db:
        number = county.add_alarm(db, county.CRITICAL, datetime.now(UTC))
        far = county.add_alarm(db, replace(county.FEVER, patient_id=7), datetime.now(UTC))
    with api(console, "li-min") as doctor:
        assert doctor.post(f"/api/v1/episodes/{number}/acknowledge").status_code == 200
    page = open_page()
    at(page, console, "wu-jie")
    panel = page.locator("#handover-qingshi-township_duty")
    expect(panel.locator(".handover__open li")).to_have_count(1)
    expect(panel).to_contain_text("W.X.Y.")
    expect(panel).to_contain_text("李敏")
    page.click("summary:has-text('写给接班人')")
    page.fill(".handover textarea", "203床今晚注意")
    page.click(".handover button:has-text('确认')")
    expect(panel.locator(".handover__note--new")).to_contain_text("203床今晚注意")
    expect(panel.locator("button:has-text('已阅')")).to_have_count(0)
    with api(console, "he-jun") as other:
        assert other.post("/api/v1/duty/notes/1/acknowledge").status_code == 409  # he is not on duty yet
        refused = {"organisation": "qingshi", "duty_role": "township_duty", "note": "x"}
        assert other.post("/api/v1/duty/notes", json=refused).status_code == 409
        assert override(other).status_code == 200
    later = open_page()
    at(later, console, "he-jun")
    later.click("button:has-text('已阅')")
    expect(later.locator(".handover__note")).to_contain_text("何军 已阅")
    with api(console, "he-jun") as other:
        (handed,) = other.get("/api/v1/duty/handover").json()
    assert [each["episode_id"] for each in handed["open"]] == [number]
    assert (handed["holds"], handed["notes"][0]["note"]) == (True, "203床今晚注意")
    assert far != number
    assert midnight
