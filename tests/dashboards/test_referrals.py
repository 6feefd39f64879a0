"""Referrals on the screen: the form says where to, the hospital takes or refuses, each step is a tap; who sees what."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

HOSPITALS = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id, capabilities) VALUES
    (6, 'second', '安宁县第二医院', 'Anning Second Hospital', 'designated', 1, '{icu,haemodialysis}'),
    (7, 'tcm', '安宁县中医院', 'Anning TCM Hospital', 'sub_designated', 1, '{}');
INSERT INTO route VALUES (1, 'designated', 1, 6);
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES
    (5, 'gao-ping', '高平', 'Gao Ping', 6, 'referral_desk', 3),
    (6, 'lin-yue', '林月', 'Lin Yue', 4, 'referral_desk', 3),
    (7, 'tang-hai', '唐海', 'Tang Hai', 1, 'dispatcher', 2);
"""
SEVERE = {"severity": "severe", "driver": "infection"}


@pytest.fixture
def episode_id(console: Console) -> int:
    """An alarm of patient 2 that the county's expert has taken on, and two hospitals that may be asked."""
    with console.rows() as db:
        db.execute(HOSPITALS.encode())
        number = county.add_alarm(db, county.REFER, datetime.now(UTC))
    with api(console, "chen-gang") as expert:
        assert expert.post(f"/api/v1/episodes/{number}/acknowledge").status_code == 200
    return number


@pytest.fixture
def expert(console: Console) -> Iterator[httpx.Client]:
    with api(console, "chen-gang") as opened:
        yield opened


def referred(expert: httpx.Client, episode_id: int, **said: Any) -> dict[str, Any]:
    answer = expert.post(f"/api/v1/episodes/{episode_id}/refer", json=SEVERE | said)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def at(page: Page, console: Console, key: str) -> None:
    enter(page, console, key)
    page.goto(console.url + "/referrals")


def test_the_form_says_where_to_before_anything_is_decided(
    console: Console, open_page: OpenPage, episode_id: int
) -> None:
    page = open_page()
    enter(page, console, "chen-gang")
    page.click("article.card .button")
    page.click("summary:has-text('转诊')")
    expect(page.locator(".route")).to_contain_text("四项原则")
    page.click(".chip:has-text('轻型')")
    page.click(".chip:has-text('感染')")
    expect(page.locator(".route__where")).to_contain_text("就地")
    page.click(".chip:has-text('需血液透析')")
    expect(page.locator(".route__where")).to_contain_text("定点医院")
    expect(page.locator(".route")).to_contain_text("未征询：安宁县人民医院，缺少 血液透析")
    page.click(".chip:has-text('有即刻生命危险')")
    expect(page.locator(".route__ask")).to_contain_text("系统不会自动拨打")
    with console.rows() as db:
        assert db.execute("SELECT count(*) FROM referral").fetchone() == (0,)
    assert episode_id


def test_a_hospital_accepts_on_a_phone_and_sees_the_name_only_then(
    console: Console, open_page: OpenPage, expert: httpx.Client, episode_id: int
) -> None:
    referred(expert, episode_id)
    page = open_page(size=PHONE)
    at(page, console, "gao-ping")
    card = page.locator(".referral")
    expect(card).to_contain_text("Z.G.Q.")
    expect(card).not_to_contain_text("赵国强")
    page.click("button:has-text('接受')")
    expect(card).to_contain_text("赵国强")
    expect(card.locator(".referral__stage")).to_have_text("医院已接受")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_hospital_to_which_the_ambulance_is_already_on_its_way_sees_the_name(
    console: Console, expert: httpx.Client, episode_id: int
) -> None:
    referral = referred(expert, episode_id)
    with api(console, "gao-ping") as desk:
        (asked,) = desk.get("/api/v1/referrals").json()
        assert (asked["patient_name"], asked["household_phone"]) == ("Z.G.Q.", "")
        path = f"/api/v1/referrals/{referral['referral_id']}/say"
        assert expert.post(path, json={"event": "depart"}).status_code == 200
        (coming,) = desk.get("/api/v1/referrals").json()
        assert coming["patient_name"] == "赵国强"
        stale = {"event": "accept", "seen": {"stage": "offered", "facility_id": referral["facility_id"]}}
        assert expert.post(path, json=stale).status_code == 409


def test_a_refusal_needs_its_reason_and_the_next_hospital_has_it(
    console: Console, open_page: OpenPage, expert: httpx.Client, episode_id: int
) -> None:
    referred(expert, episode_id)
    page = open_page()
    at(page, console, "gao-ping")
    page.click("summary:has-text('拒绝')")
    page.click("button:has-text('确认：拒绝')")  # the browser keeps it until a reason is chosen
    page.select_option("select[name=refusal]", "no_bed")
    page.click("button:has-text('确认：拒绝')")
    expect(page.locator("#referrals")).to_contain_text("目前没有转诊")
    (listed,) = expert.get("/api/v1/referrals").json()
    assert (listed["stage"], listed["facility_id"], listed["candidates"]) == ("offered", 4, [])
    page.goto(console.url + "/sign-in")


def test_the_coordinator_follows_it_there_and_back(
    console: Console, open_page: OpenPage, expert: httpx.Client, episode_id: int
) -> None:
    referral_id = referred(expert, episode_id)["referral_id"]
    page = open_page(language="en-GB")
    at(page, console, "chen-gang")
    for label, stage in (
        ("Accept", "accepted"),
        ("Has left", "on the way"),
        ("Has arrived", "arrived"),
        ("Admitted", "in hospital"),
        ("Discharged", "going home"),
        ("Back home", "ended"),
    ):
        page.click(f"#referral-{referral_id} > .decisions button:text-is('{label}')")
        expect(page.locator(f"#referral-{referral_id} .referral__stage")).to_have_text(stage)
    expect(page.locator(".way__step--done")).to_have_count(7)
    page.click("text=What was done")
    expect(page.locator(".history li")).to_have_count(7)
    with console.rows() as db:
        assert db.execute("SELECT state FROM episode WHERE episode_id = %s", [episode_id]).fetchone() == ("monitor",)


def test_what_has_become_impossible_is_said_until_something_else_is_done(
    console: Console, open_page: OpenPage, expert: httpx.Client, episode_id: int
) -> None:
    referred(expert, episode_id)
    page = open_page()
    page.route("**/referrals/list", lambda route: route.fulfill(status=204))  # the page hears of nothing by itself
    at(page, console, "gao-ping")
    expect(page.locator("button:has-text('接受')")).to_be_visible()
    with console.rows() as db:
        db.execute("UPDATE referral SET stage = 'accepted', accepted_at = now()")
    page.click("button:has-text('接受')")
    expect(page.locator(".trouble")).to_contain_text("转诊状态已变化")
    page.unroute("**/referrals/list")
    with page.expect_response("**/referrals/list"):
        page.evaluate("setTimeout(() => htmx.trigger('#referrals', 'refresh'), 500)")  # later than a finger is down
    expect(page.locator("#referrals")).not_to_have_class("htmx-request")
    expect(page.locator(".trouble")).to_contain_text("转诊状态已变化")
    page.click("button:has-text('已出发')")
    expect(page.locator(".referral__stage")).to_have_text("转运途中")
    expect(page.locator(".trouble")).to_be_hidden()


@pytest.mark.parametrize(
    ("key", "sees", "may"),
    [
        ("chen-gang", True, {"accept", "depart", "reject", "withdraw"}),
        ("gao-ping", True, {"accept", "depart", "reject"}),
        ("lin-yue", False, set()),
        ("li-min", True, {"depart"}),
        ("zhou-lan", False, set()),
        ("tang-hai", True, {"depart"}),
    ],
)
def test_who_sees_a_referral_and_what_they_may_say(
    console: Console, expert: httpx.Client, episode_id: int, key: str, sees: bool, may: set[str]
) -> None:
    referral_id = referred(expert, episode_id)["referral_id"]
    with api(console, key) as client:
        assert [each["referral_id"] for each in client.get("/api/v1/referrals").json()] == [referral_id] * sees
        for event in ("accept", "depart", "reject", "withdraw"):
            body = {"event": event} | ({"refusal": "no_bed"} if event == "reject" else {})
            expected = 404 if not sees else 200 if event in may else 409
            assert client.post(f"/api/v1/referrals/{referral_id}/say", json=body).status_code == expected, event
            if expected == 200:
                return


@pytest.mark.parametrize(
    "body",
    [{"severity": "awful", "driver": "infection"}, {"severity": "mild"}, SEVERE | {"immediate_danger": 7}, {}],
)
def test_a_wrong_picture_is_refused(expert: httpx.Client, episode_id: int, body: dict[str, Any]) -> None:
    assert expert.post(f"/api/v1/episodes/{episode_id}/refer", json=body).status_code == 422


def test_a_family_doctor_can_not_refer_over_the_countys_head(console: Console, episode_id: int) -> None:
    with api(console) as client:
        assert client.post(f"/api/v1/episodes/{episode_id}/refer", json=SEVERE).status_code == 409
    with api(console, "tang-hai") as client:
        assert client.post(f"/api/v1/episodes/{episode_id}/refer", json=SEVERE).status_code == 404
