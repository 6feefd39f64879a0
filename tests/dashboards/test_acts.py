"""Acting on an episode, by taps and by the API; what is refused is refused with its reason."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

FEVER_HIGH = county.Alarm(patient_id=3, rule="FEVER-HIGH", family="fever", priority="low")


def raised(console: Console, alarm: county.Alarm) -> int:
    with console.rows() as db:
        return county.add_alarm(db, alarm, datetime.now(UTC))


def state_of(console: Console, episode_id: int) -> tuple[Any, ...]:
    with console.rows() as db:
        row = db.execute(
            "SELECT state, acknowledged_by, disposition FROM episode WHERE episode_id = %s", [episode_id]
        ).fetchone()
        assert row is not None
        return row


def test_two_taps_take_responsibility_on_a_phone(console: Console, open_page: OpenPage) -> None:
    episode_id = raised(console, county.CRITICAL)
    page = open_page(size=PHONE)
    enter(page, console)
    page.click("article.card .button")
    expect(page.locator("#sheet")).to_contain_text("王秀英")
    page.click("text=我来负责")
    expect(page.locator("#sheet .done")).to_have_text("✓ 已由您负责；由县级专家组决定。")
    assert state_of(console, episode_id) == ("t3_unack", 1, None)
    expect(page.locator("#inbox .turn")).to_contain_text("县级专家组（三级）")


def test_a_decision_asks_a_second_tap(console: Console, open_page: OpenPage) -> None:
    episode_id = raised(console, FEVER_HIGH)
    page = open_page(size=PHONE)
    enter(page, console)
    page.click("article.card .button")
    page.click("text=我来负责")
    page.click("summary:has-text('居家观察')")
    assert state_of(console, episode_id) == ("ack", 1, None)
    page.click("button:has-text('确认 孙丽华：居家观察')")
    expect(page.locator("#sheet .done")).to_contain_text("已决定：居家观察")
    assert state_of(console, episode_id) == ("monitor", 1, "stay_home")


def test_a_false_alarm_needs_a_note_which_stands_in_the_history(console: Console, open_page: OpenPage) -> None:
    episode_id = raised(console, FEVER_HIGH)
    page = open_page()
    enter(page, console)
    page.goto(console.url + "/patients/p-003")
    page.click("text=我来负责")
    page.click("summary:has-text('误报')")
    page.click("button:has-text('确认 孙丽华：误报')")
    assert state_of(console, episode_id)[0] == "ack"
    page.fill(".decision[open] textarea", "刚喝过热水")
    page.click("button:has-text('确认 孙丽华：误报')")
    expect(page.locator("article.episode--closed")).to_contain_text("误报")
    page.click("summary:has-text('处理经过')")
    expect(page.locator(".timeline").first).to_contain_text("刚喝过热水")
    assert state_of(console, episode_id) == ("closed", 1, "false_alarm")


def test_a_note_being_written_is_not_swept_away_by_news(console: Console, open_page: OpenPage) -> None:
    raised(console, FEVER_HIGH)
    page = open_page()
    enter(page, console)
    page.goto(console.url + "/patients/p-003")
    page.click("summary:has-text('写备注')")
    page.fill("textarea[name=text]", "家属说")
    with console.rows() as db:
        county.put_latest(db, 3, 4, 4010, datetime.now(UTC), spot=True)
        county.notify(db)
    expect(page.locator("#vitals")).to_contain_text("40.1")
    expect(page.locator("textarea[name=text]")).to_have_value("家属说")
    page.click("text=保存备注")
    expect(page.locator(".timeline").first).to_contain_text("家属说")


def test_staying_home_is_barred_at_tier_2_and_the_reason_is_shown(console: Console, open_page: OpenPage) -> None:
    raised(console, county.CRITICAL)
    page = open_page()
    enter(page, console)
    page.click("article.card .button")
    expect(page.locator("#sheet .barred")).to_contain_text("县级专家组决定")


def test_an_expert_takes_over_and_refers(console: Console, open_page: OpenPage) -> None:
    episode_id = raised(console, county.REFER)
    page = open_page(language="en-GB")
    enter(page, console, "chen-gang")
    page.click("article.card .button")
    page.click("text=I take responsibility")
    page.click("summary:has-text('Refer')")
    page.click("text=severe")
    page.click("text=the infection")
    expect(page.locator(".route__where")).to_contain_text("designated hospital · sub-ICU · 120 ambulance")
    expect(page.locator(".route__asked")).to_contain_text("Anning County People's Hospital")
    page.click("button:has-text('Confirm for 赵国强: Refer')")
    expect(page.locator("#sheet .done")).to_contain_text("Decided: refer.")
    assert state_of(console, episode_id) == ("referred", 3, "refer")


def test_what_has_become_impossible_is_said_and_the_sheet_is_new(console: Console, open_page: OpenPage) -> None:
    episode_id = raised(console, FEVER_HIGH)
    page = open_page()
    enter(page, console)
    page.click("article.card .button")
    expect(page.locator("#sheet .acts")).to_be_visible()
    with console.rows() as db:
        db.execute("UPDATE episode SET state = 't3_unack', step = 2, service_tier = 3")
    page.click("text=我来负责")
    expect(page.locator("#sheet .trouble")).to_contain_text("现在不能这样做")
    expect(page.locator("#sheet .acts")).not_to_contain_text("我来负责")
    assert state_of(console, episode_id)[1] is None


@pytest.fixture
def client(console: Console) -> Iterator[httpx.Client]:
    with api(console) as opened:
        yield opened


def test_the_api_does_the_same_acts(console: Console, client: httpx.Client) -> None:
    episode_id = raised(console, FEVER_HIGH)
    (listed,) = client.get("/api/v1/episodes").json()
    assert (listed["episode_id"], listed["rule"], listed["patient_key"]) == (episode_id, "FEVER-HIGH", "p-003")
    assert "acknowledge" in listed["possible_acts"]
    taken = client.post(f"/api/v1/episodes/{episode_id}/acknowledge")
    assert (taken.status_code, taken.json()["state"]) == (200, "ack")
    decided = client.post(f"/api/v1/episodes/{episode_id}/decide", json={"disposition": "stay_home", "note": "稳定"})
    assert (decided.status_code, decided.json()["state"]) == (200, "monitor")
    with console.rows() as db:
        events = db.execute("SELECT kind, channel FROM episode_event WHERE actor_id = 1 ORDER BY event_id").fetchall()
    assert events == [("acknowledged", "api"), ("decided", "api")]


def test_an_illegal_act_is_a_conflict_with_its_reason(console: Console, client: httpx.Client) -> None:
    episode_id = raised(console, FEVER_HIGH)
    answer = client.post(f"/api/v1/episodes/{episode_id}/decide", json={"disposition": "close"})
    assert answer.status_code == 409
    assert "close" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{"disposition": "fly"}, {"disposition": "refer", "extra": 1}, {}])
def test_a_malformed_decision_is_refused(console: Console, client: httpx.Client, body: dict[str, Any]) -> None:
    episode_id = raised(console, FEVER_HIGH)
    assert client.post(f"/api/v1/episodes/{episode_id}/decide", json=body).status_code == 422


@pytest.mark.parametrize("header", [{}, {"X-CSRF-Token": "made-up"}])
def test_an_act_without_the_sessions_token_is_refused(
    console: Console, client: httpx.Client, header: dict[str, str]
) -> None:
    episode_id = raised(console, FEVER_HIGH)
    del client.headers["X-CSRF-Token"]
    for path in (f"/api/v1/episodes/{episode_id}/acknowledge", f"/episodes/{episode_id}/acknowledge", "/sign-out"):
        assert client.post(path, headers=header).status_code == 403
    note = client.post(f"/episodes/{episode_id}/note", headers=header, data={"text": "x", "csrf": "made-up"})
    assert note.status_code == 403
    assert state_of(console, episode_id)[1] is None


def test_without_a_script_a_form_still_acts(console: Console, client: httpx.Client) -> None:
    episode_id = raised(console, FEVER_HIGH)
    csrf = client.headers.pop("X-CSRF-Token")
    answer = client.post(f"/episodes/{episode_id}/acknowledge", data={"csrf": csrf})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/patients/p-003#episode-{episode_id}")
    assert state_of(console, episode_id)[0] == "ack"


def test_the_link_of_a_notice_leads_to_the_episode(console: Console, open_page: OpenPage) -> None:
    episode_id = raised(console, county.CRITICAL)
    page = open_page()
    enter(page, console)
    page.goto(f"{console.url}/episodes/{episode_id}")
    expect(page).to_have_url(f"{console.url}/patients/p-001#episode-{episode_id}")
    expect(page.locator(f"#episode-{episode_id}")).to_be_in_viewport()


def test_the_link_of_a_notice_leads_through_the_sign_in(console: Console, open_page: OpenPage) -> None:
    episode_id = raised(console, county.CRITICAL)
    page = open_page(size=PHONE)
    page.goto(f"{console.url}/episodes/{episode_id}")
    page.fill("[name=key]", "li-min")
    page.fill("[name=password]", county.PASSWORD)
    page.click("main button")
    expect(page).to_have_url(f"{console.url}/patients/p-001#episode-{episode_id}")
    expect(page.locator(f"#episode-{episode_id}")).to_be_in_viewport()


def test_the_link_of_a_notice_out_of_scope_leads_nowhere(console: Console) -> None:
    episode_id = raised(console, county.CRITICAL)
    with api(console, "zhou-lan") as client:
        assert client.get(f"/episodes/{episode_id}").status_code == 404
        assert client.get("/episodes/999999").status_code == 404
