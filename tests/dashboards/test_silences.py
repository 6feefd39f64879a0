"""Silences on the screen and in the API: set from an alarm and from the page, shown where it counts, lifted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from alerting.desk import Desk, connect
from alerting.profile.file import parse_profile, standard_adult
from alerting.technical.look import look
from dashboards.console.silences import NO_NUL
from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

KEEPER = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES
    (5, 'ma-hong', '马红', 'Ma Hong', 1, 'coordinator', 2), (8, 'qian-yi', '钱一', 'Qian Yi', 3, 'coordinator', 2)
"""
AMBER = county.Alarm(
    patient_id=2, rule="SPO2-AMBER", family="spo2_low", priority="medium",
    evidence={"signal": "spo2", "unit": "%", "value": 94.0, "lowest": 93.0, "below": 95.0, "window_s": 900},
)  # fmt: skip
HOUR = timedelta(hours=1)


@pytest.fixture
def amber(console: Console) -> int:
    """A medium alarm of patient 2, of the nursing home."""
    with console.rows() as db:
        db.execute(KEEPER.encode())
        return county.add_alarm(db, AMBER, datetime.now(UTC))


@pytest.fixture
def village(console: Console, amber: int) -> Iterator[Desk]:
    """Six silent gateways of one township, as alerting sees them: one alarm."""
    assert amber
    profile = parse_profile(standard_adult())
    with connect(console.dsn, "test") as connection:
        desk = Desk(connection=connection, profile=profile, now=datetime.now(UTC))
        desk.run("save_profile", profile_hash=profile.profile_hash, name=profile.name, body=profile.body, now=desk.now)
        at = desk.now - timedelta(minutes=4)
        for n in range(1, 7):
            connection.execute(
                "INSERT INTO gateway (gateway_id, organisation_id, place) VALUES (%s, 2, %s)",
                [f"home-{n}", f"青石村{n}号"],
            )
            connection.execute(
                "INSERT INTO gateway_status (gateway_id, online, received_at, heartbeat_at, heartbeat, status)"
                " VALUES (%s, true, %s, %s, '{}', '{}')",
                [f"home-{n}", at, at],
            )
        look(desk)
        yield desk


def said(client: Any, **about: Any) -> Any:
    wish = {
        "target": "patient",
        "name": "p-002",
        "rule": "SPO2-AMBER",
        "until": (datetime.now(UTC) + HOUR).isoformat(),
        "reason": "known, treated",
    } | about
    return client.post("/api/v1/silences", json=wish)


def test_a_doctor_silences_an_alarm_from_its_sheet_on_a_phone(
    console: Console, open_page: OpenPage, amber: int
) -> None:
    page = open_page(size=PHONE)
    enter(page, console)
    page.click(f"#act-{amber}")
    page.click("summary:has-text('暂时静默此告警')")
    page.click(".decision[open] .chip:has-text('4')")
    page.fill(".decision[open] input[name=reason]", "已知，正在治疗")
    page.click(".decision[open] button:has-text('静默告警')")
    expect(page.locator("#sheet-body .done")).to_contain_text("已静默")
    expect(page.locator("#sheet-body .silenced")).to_contain_text("李敏")
    page.goto(console.url)
    card = page.locator("article.card")
    expect(card.locator(".silenced")).to_contain_text("已知，正在治疗")
    expect(page.locator(".silent-note")).to_contain_text("生效中的静默：1 项")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{console.url}/patients/p-002")
    expect(page.locator(".silenced").first).to_contain_text("静默至")
    expect(page.locator(".timeline").first).to_contain_text("已静默，不再呼叫")


def test_the_page_lists_sets_and_lifts(console: Console, open_page: OpenPage, amber: int) -> None:
    with api(console) as doctor:
        assert said(doctor).status_code == 200
    page = open_page(language="en-GB")
    enter(page, console, "ma-hong")
    page.goto(console.url + "/silences")
    listed = page.locator("article.silence")
    expect(listed).to_contain_text("somewhat low")
    expect(listed).to_contain_text("known, treated")
    expect(listed).to_contain_text("Alarms held back: 1")
    assert listed.locator("button").count() == 0  # a coordinator lifts no doctor's
    page.click("summary:has-text('Set a silence')")
    page.select_option("select[name=target]", "organisation")
    page.fill("input[name=name]", "qingshi")
    page.fill("input[name=until]", f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%dT%H:%M}")
    page.fill("input[name=reason]", "planned power cut")
    page.click("form button:has-text('Silence')")
    expect(page.locator(".trouble")).to_contain_text("That is too long")
    page.click("summary:has-text('Set a silence')")
    page.select_option("select[name=target]", "organisation")
    page.fill("input[name=name]", "qingshi")
    page.fill("input[name=until]", f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M}")
    page.fill("input[name=reason]", "planned power cut")
    page.click("form button:has-text('Silence')")
    expect(listed).to_have_count(2)
    page.click("article.silence button:has-text('Lift')")
    expect(page.locator(".silence--lifted")).to_contain_text("lifted by Ma Hong")
    assert amber


def test_the_api_says_the_same_and_refuses_by_name(console: Console, amber: int) -> None:
    with api(console) as doctor:
        silence = said(doctor).json()
        assert (silence["standing"], silence["holds"], silence["set_by_en"]) == ("in_force", 1, "Li Min")
        episode = doctor.get(f"/api/v1/episodes/{amber}").json()
        assert (episode["silence"]["silence_id"], episode["silence"]["name_en"]) == (silence["silence_id"], "Li Min")
        refused = said(doctor, rule="SPO2-REFER")
        assert (refused.status_code, refused.json()["detail"].partition(":")[0]) == (409, "high")
        assert said(doctor, name="p-007").json()["detail"].startswith("no_target")  # of the other township
        assert said(doctor, reason="x\x00y").status_code == 422
        lifted = doctor.post(f"/api/v1/silences/{silence['silence_id']}/lift").json()
        assert (lifted["standing"], lifted["holds"]) == ("lifted", 0)
        assert doctor.get(f"/api/v1/episodes/{amber}").json()["silence"] is None
    with api(console, "zhou-lan") as stranger:
        assert stranger.get("/api/v1/silences").json() == []
        assert stranger.post(f"/api/v1/silences/{silence['silence_id']}/lift").status_code == 404
    with api(console, "qian-yi") as keeper:
        assert said(keeper, target="organisation", name="qingshi", rule="").status_code == 409
        assert said(keeper, target="organisation", name="liuhe", rule="").status_code == 200
    assert NO_NUL


def test_a_high_alarm_offers_no_silence(console: Console, open_page: OpenPage, amber: int) -> None:
    assert amber
    with console.rows() as db:
        number = county.add_alarm(db, county.CRITICAL, datetime.now(UTC))
    page = open_page()
    enter(page, console)
    page.click(f"#act-{number}")
    expect(page.locator("#sheet-body .acts")).to_be_visible()
    assert page.locator("summary:has-text('暂时静默此告警')").count() == 0
    with api(console) as doctor:
        answer = doctor.post(
            f"/episodes/{number}/silence", data={"hours": 1, "reason": "x"}, headers={"HX-Request": "1"}
        )
    assert answer.status_code == 409
    assert "高级别告警不能静默" in answer.text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "zh-CN",
            (
                "同一原因的多个技术告警",
                "青石镇卫生院",
                "网关失联",
                "多个网关几乎同时失联，共6个",
                "包含 6 项",
                "青石村3号",
            ),
        ),
        (
            "en-GB",
            ("Many technical alarms, one cause", "Qingshi Township Health Centre", "gateways silent", "6 of them"),
        ),
    ],
)
def test_one_cause_is_one_card_and_its_page_lists_what_it_holds(
    console: Console, village: Desk, open_page: OpenPage, language: str, told: tuple[str, ...]
) -> None:
    (row,) = village.connection.execute("SELECT episode_id FROM episode WHERE family = 'storm'").fetchall()
    page = open_page(language=language)
    enter(page, console)
    card = page.locator(f"article.card[data-episode='{row.episode_id}']")
    for each in told[:4]:
        expect(card).to_contain_text(each)
    page.goto(f"{console.url}/alarms/{row.episode_id}")
    for each in told:
        expect(page.locator("main")).to_contain_text(each)
    expect(page.locator(".members__list li")).to_have_count(6)
    with api(console) as doctor:
        members = doctor.get(f"/api/v1/episodes/{row.episode_id}/members").json()
    assert {each["thing"] for each in members} == {f"home-{n}" for n in range(1, 7)}
