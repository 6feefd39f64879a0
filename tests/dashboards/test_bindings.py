"""Correcting who wore a device, on the screen and by the API: what it closes is shown, confirmed, kept."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from ingest.tend import rollups
from ingest.tend.moving import move_samples
from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter
from tests.ingest.county import connect

SETUP = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES
    (5, 'xu-fang', '许芳', 'Xu Fang', 2, 'coordinator', 2), (6, 'ma-tao', '马涛', 'Ma Tao', 2, 'technician', 2),
    (9, 'sun-nurse', '孙护士', 'Nurse Sun', 5, 'nurse', 2);
"""
WORN = "SELECT device_key FROM care_binding WHERE patient_id = %s AND kind = 'oximeter' AND valid_until IS NULL"


@pytest.fixture
def settled(console: Console) -> Console:
    """The county with a coordinator, a technician, and an open alarm of patient 1."""
    with console.rows() as db:
        db.execute(SETUP.encode())
        county.add_alarm(db, replace(county.REFER, patient_id=1), datetime.now(UTC))
    return console


@pytest.fixture
def technician(settled: Console) -> Iterator[httpx.Client]:
    with api(settled, "ma-tao") as opened:
        yield opened


@pytest.fixture
def device(settled: Console) -> str:
    """The oximeter of patient 1."""
    with settled.rows() as db:
        row = db.execute(WORN, [1]).fetchone()
    assert row is not None
    return str(row[0])


def begun() -> str:
    return (datetime.now(UTC) - timedelta(hours=2)).isoformat()


def said(**changes: Any) -> dict[str, Any]:
    return {"of": "p-001", "to": "p-002", "since": begun(), "reason": "两床戴错"} | changes


def moved(console: Console) -> None:
    with connect(console.dsn) as ingest:
        rollups.prepare(ingest)
        while move_samples(ingest, datetime.now(UTC)).more:
            pass


def test_a_technician_corrects_a_binding_on_a_phone(settled: Console, device: str, open_page: OpenPage) -> None:
    page = open_page(size=PHONE)
    enter(page, settled, "ma-tao")
    page.goto(f"{settled.url}/registry/p-001")
    page.click(f"#bindings a:has-text('{device}')")
    expect(page.locator("#wearers li")).to_have_count(1)
    page.select_option("[name=of]", "p-001")
    page.fill("[name=to]", "p-002")
    local = datetime.now(UTC) + timedelta(hours=8) - timedelta(hours=2)
    page.fill("[name=since]", local.strftime("%Y-%m-%dT%H:%M:%S"))
    page.fill("[name=reason]", "两床戴错")
    page.click("#correct button")
    expect(page.locator("#confirm .choice")).to_have_count(1)
    expect(page.locator("#confirm")).to_contain_text("由您以“患者错误”关闭")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with settled.rows() as db:
        assert db.execute("SELECT count(*) FROM binding_correction").fetchone() == (0,)
    page.click("#confirm button")
    expect(page.locator("#corrections li")).to_contain_text("两床戴错 马涛")
    expect(page.locator("#wearers li")).to_have_count(2)
    expect(page.locator("#corrections")).to_contain_text("1 个报警以“患者错误”关闭")
    expect(page.locator("#corrections")).to_contain_text("正在转移样本")
    with settled.rows() as db:
        closed = db.execute("SELECT state, disposition, closed_by FROM episode WHERE patient_id = 1").fetchall()
    assert closed == [("closed", "wrong_patient", 6)]
    moved(settled)
    for key in ("p-001", "p-002"):
        page.goto(f"{settled.url}/registry/{key}")
        expect(page.locator("#bindings .corrections li")).to_contain_text("已转移")
    page.goto(f"{settled.url}/patients/p-001")
    expect(page.locator("#episodes")).to_contain_text("两床戴错")


def test_the_page_speaks_english_and_says_what_is_in_the_way(
    settled: Console, device: str, open_page: OpenPage
) -> None:
    page = open_page(language="en-GB")
    enter(page, settled, "xu-fang")
    page.goto(f"{settled.url}/bindings/{device}")
    page.fill("[name=to]", "p-001")
    page.fill("[name=since]", "2020-01-01T00:00:00")
    page.fill("[name=reason]", "seen by the nurse")
    page.click("#correct button")
    expect(page.locator(".trouble")).to_contain_text("is both the wrong wearer and the right one")
    expect(page.locator("[name=reason]")).to_have_value("seen by the nurse")


def test_the_api_shows_what_closes_and_does_what_is_confirmed(technician: httpx.Client, device: str) -> None:
    at = f"/api/v1/bindings/{device}"
    [closing] = technician.post(f"{at}/corrections/look", json=said()).json()
    assert (closing["rule"], closing["obstacle"]) == ("SPO2-REFER", "")
    shown = technician.post(f"{at}/corrections", json=said(closes=[closing["episode_id"]])).json()
    [correction] = shown["corrections"]
    assert (correction["of_key"], correction["to_key"], correction["closed"]) == (
        "p-001",
        "p-002",
        [closing["episode_id"]],
    )
    assert [each["key"] for each in shown["wearers"]] == ["p-002", "p-001"]
    card = technician.get("/api/v1/registry/p-002").json()
    assert [each["correction_id"] for each in card["corrections"]] == [correction["correction_id"]]


def test_nobody_of_ours_wore_it(technician: httpx.Client, settled: Console, device: str) -> None:
    answer = technician.post(f"/api/v1/bindings/{device}/corrections", json=said(to=None))
    assert answer.status_code == 200
    assert answer.json()["corrections"][0]["to_nobody"] is True
    moved(settled)
    with settled.rows() as db:
        left = (
            "SELECT count(*) FROM sample JOIN care_device USING (device_id) WHERE device_key = %s AND measured_at > %s"
        )
        assert db.execute(left, [device, datetime.now(UTC) - timedelta(hours=1)]).fetchone() == (0,)


def test_who_is_out_of_sight_is_not_corrected_and_not_named(technician: httpx.Client, device: str) -> None:
    at = f"/api/v1/bindings/{device}"
    answer = technician.post(f"{at}/corrections", json=said(to="p-007"))
    assert (answer.status_code, answer.json()["detail"]) == (409, "no patient 'p-007' here")
    assert technician.get("/api/v1/bindings/C0:FF:FF:FF:FF:FF").status_code == 404
    refused = technician.post(f"{at}/corrections", json=said(closes=[4711]))
    assert (refused.status_code, "do not come of" in refused.json()["detail"]) == (409, True)
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = technician.post(f"{at}/corrections/look", json=said(until=future))
    assert (answer.status_code, "is yet to come" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("key", ["li-min", "sun-nurse"])
def test_others_look_and_correct_nothing(settled: Console, device: str, key: str) -> None:
    with api(settled, key) as client:
        answer = client.post(f"/api/v1/bindings/{device}/corrections", json=said())
        assert answer.status_code in (403, 404)
        if key == "li-min":
            assert (answer.status_code, client.get(f"/api/v1/bindings/{device}").status_code) == (403, 200)
    with settled.rows() as db:
        assert db.execute("SELECT count(*) FROM binding_correction").fetchone() == (0,)
