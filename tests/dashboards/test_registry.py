"""The registry on the screen: find a patient, say how he stands; kits; who is measuring; and who may do none of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

SETUP = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES
    (5, 'xu-fang', '许芳', 'Xu Fang', 2, 'coordinator', 2), (6, 'ma-tao', '马涛', 'Ma Tao', 2, 'technician', 2),
    (7, 'gao-ping', '高平', 'Gao Ping', 1, 'referral_desk', 3), (8, 'root', '管理员', 'Admin', 1, 'admin', 2),
    (9, 'sun-nurse', '孙护士', 'Nurse Sun', 5, 'nurse', 2);
INSERT INTO gateway VALUES ('gw-home', 5, '敬老院活动室'), ('gw-liuhe', 3, '柳河');
INSERT INTO device (device_id, key, kind, shared) VALUES (900, 'C0:00:00:00:09:00', 'oximeter', true),
    (902, 'C0:00:00:00:09:02', 'oximeter', true);
INSERT INTO device (device_id, key, kind) VALUES (901, 'C0:00:00:00:09:01', 'cuff');
INSERT INTO claim (gateway_id, device_id, claimed_at) VALUES ('gw-home', 900, now()), ('gw-liuhe', 902, now());
INSERT INTO kit (key, organisation_id) VALUES ('box-1', 2), ('box-9', 3);
INSERT INTO kit_device SELECT 901, kit_id FROM kit WHERE key = 'box-1';
INSERT INTO risk_assessment (patient_id, at, age_band, underlying_disease, vaccination, clause, points, by_score, was,
    colour, review) VALUES
    (2, now(), '65_to_79', 'none', 'none', 'x', 3, 'yellow', 'yellow', 'yellow', 'score_above_table'),
    (7, now(), '65_to_79', 'none', 'none', 'x', 3, 'yellow', 'red', 'red', 'score_above_table');
INSERT INTO team (key, name, organisation_id) VALUES ('willow', '青石家庭医生团队', 2);
INSERT INTO team_member (team_id, member_role, person_id, helper, joined_at)
    SELECT team_id, 'family_doctor', 1, '', now()
    FROM team UNION ALL SELECT team_id, 'helper', NULL, '网格员 王芳', now() FROM team;
INSERT INTO team_patient SELECT 2, team_id, now() FROM team;
"""
SHARED = "C0:00:00:00:09:00"


@pytest.fixture
def settled(console: Console) -> Console:
    """The county with a coordinator, a technician, kits, shared devices and colours to look at."""
    with console.rows() as db:
        db.execute(SETUP.encode())
    return console


@pytest.fixture
def keeper(settled: Console) -> Iterator[httpx.Client]:
    with api(settled, "xu-fang") as opened:
        yield opened


def opened(page: Page, console: Console, path: str, key: str = "xu-fang") -> Page:
    enter(page, console, key)
    page.goto(console.url + path)
    return page


def test_a_patient_is_found_and_a_colour_is_looked_at(settled: Console, open_page: OpenPage) -> None:
    page = open_page()
    enter(page, settled, "xu-fang")
    page.click("nav >> text=登记")
    expect(page.locator(".registry__row")).to_have_count(6)  # the other township's is not in sight
    expect(page.locator(".registry__row").first).to_contain_text("分级表与评分不一致")
    page.fill("#find", "赵国")
    page.click("button:has-text('查找')")
    expect(page.locator(".registry__row h2")).to_have_text(["赵国强 101床"])
    page.click("button:has-text('已核对')")
    expect(page).to_have_url(f"{settled.url}/registry/p-002")
    expect(page.locator("#team")).to_contain_text("网格员 王芳")
    with settled.rows() as db:
        rows = db.execute("SELECT patient_id, reviewed_by FROM risk_assessment ORDER BY 1").fetchall()
    assert rows == [(2, 5), (7, None)]
    page.goto(settled.url + "/registry?review=1")
    expect(page.locator(".calm")).to_contain_text("没有找到患者")


def test_a_patient_goes_to_hospital_and_comes_back_on_a_phone(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(size=PHONE), settled, "/registry/p-001")
    page.click("summary:has-text('更改状态')")
    page.click(".choice:has-text('住院')")
    page.fill("[name=reason]", "家属来电")
    page.click("#status button:has-text('记录')")
    expect(page.locator(".trouble[role=alert]")).to_contain_text("name the hospital")
    page.click("summary:has-text('更改状态')")
    page.click(".choice:has-text('住院')")
    page.fill("[name=reason]", "家属来电")
    page.fill("[name=place]", "县人民医院")
    page.click("#status button:has-text('记录')")
    expect(page.locator("#status .standing-word")).to_have_text("住院")
    expect(page.locator("#status")).to_contain_text("数值超限仍照常报警")
    expect(page.locator(".registry__history li")).to_contain_text("家属来电 许芳")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with settled.rows() as db:
        worn = db.execute("SELECT count(*) FROM care_binding WHERE patient_id = 1 AND valid_until IS NULL").fetchone()
    assert worn == (2,)


def test_contacts_and_consent_are_written_down_and_a_withdrawal_asks_somebody_to_unbind(
    settled: Console, open_page: OpenPage
) -> None:
    page = opened(open_page(language="en-GB"), settled, "/registry/p-003")
    page.click("summary:has-text('Change the contacts')")
    first = page.locator(".registry__contact").first
    first.locator("[name=name]").fill("Sun Wei")
    first.locator("[name=phone]").fill("138 0000 2222")
    first.locator("[name=told]").select_option("yes")
    page.click("#contacts button:has-text('Write it down')")
    expect(page.locator(".registry__contacts li")).to_have_count(1)
    expect(page.locator(".registry__contacts")).to_contain_text("may be told")
    page.click("summary:has-text('Record a consent')")
    page.click("#consent .choice:has-text('withdrawn')")
    page.click("#consent .choice:has-text('the patient')")
    page.fill("[name=version]", "2026-01")
    page.click("#consent button:has-text('Write it down')")
    expect(page.locator(".trouble[role=note]")).to_contain_text("Nothing stops by itself")
    page.goto(settled.url + "/registry")
    expect(page.locator(".registry__todo li")).to_have_count(2)
    page.click(".registry__todo a >> nth=0")
    page.click("#bindings summary >> nth=0")
    page.click("#bindings button:visible")
    expect(page.locator("#bindings button")).to_have_count(1)


def test_who_has_died_wears_nothing_and_only_an_admin_undoes_it(keeper: httpx.Client, settled: Console) -> None:
    with settled.rows() as db:
        county.add_alarm(db, replace(county.REFER, patient_id=4), datetime.now(UTC))
        who = db.execute("SELECT person_id FROM person WHERE key = 'xu-fang'").fetchone()
    died = {"status": "dead", "reason": "村医确认"}
    card = keeper.post("/api/v1/registry/p-004/status", json=died).json()
    assert (card["entry"]["status"], card["entry"]["devices"], card["open_alarms"]) == ("dead", [], 0)
    with settled.rows() as db:
        closed = db.execute("SELECT state, closed_by FROM episode WHERE patient_id = 4").fetchall()
    assert [tuple(row) for row in closed] == [("closed", *(who or ()))]
    again = keeper.post("/api/v1/registry/p-004/status", json={"status": "active", "reason": "误报"})
    assert again.status_code == 409
    assert again.json()["detail"] == "coordinator may not say active of who is dead; admin may"
    with api(settled, "root") as admin:
        undone = admin.post("/api/v1/registry/p-004/status", json={"status": "active", "reason": "误报"})
    assert undone.json()["entry"]["status"] == "active"
    assert [line["status"] for line in undone.json()["history"]] == ["active", "dead"]


def test_a_kit_is_lent_owed_and_taken_back(settled: Console, open_page: OpenPage, keeper: httpx.Client) -> None:
    page = opened(open_page(), settled, "/kits", "ma-tao")
    expect(page.locator("[data-kit]")).to_have_count(1)
    page.fill("[name=patient]", "p-007")
    page.click("button:has-text('借出')")
    expect(page.locator(".trouble")).to_contain_text("no patient 'p-007' here")
    page.fill("[name=patient]", "p-003")
    page.click("button:has-text('借出')")
    expect(page.locator("[data-kit=box-1]")).to_contain_text("孙丽华")
    assert "C0:00:00:00:09:01" in keeper.get("/api/v1/registry/p-003").json()["entry"]["devices"]
    keeper.post("/api/v1/registry/p-003/status", json={"status": "discharged", "reason": "居家观察结束"})
    page.reload()
    expect(page.locator(".registry__overdue")).to_contain_text("应收回")
    page.click("summary:has-text('收回')")
    page.click(".choice:has-text('有缺失')")
    page.fill("[name=missing]", "袖带")
    page.click("form button:has-text('收回')")
    expect(page.locator("[data-kit=box-1]")).to_contain_text("在库")
    expect(page.locator("[data-kit=box-1]")).to_contain_text("袖带")
    assert "C0:00:00:00:09:01" not in keeper.get("/api/v1/registry/p-003").json()["entry"]["devices"]


def test_who_is_measuring_is_one_tap_for_ten_minutes(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(size=PHONE), settled, "/shared", "sun-nurse")
    expect(page.locator(".shared")).to_have_count(1)
    expect(page.locator(".shared__now")).to_contain_text("不归任何人")
    expect(page.locator(".shared__button")).to_have_count(5)  # four residents, and nobody
    page.click(".shared__button:has-text('王秀英')")
    expect(page.locator(".shared__now")).to_contain_text("王秀英")
    page.click(".shared__button:has-text('赵国强')")
    expect(page.locator(".shared__now")).to_contain_text("赵国强")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with settled.rows() as db:
        rows: list[Any] = db.execute(
            "SELECT patient_id, valid_until - valid_from FROM care_binding WHERE device_key = %s ORDER BY valid_from",
            [SHARED],
        ).fetchall()
    assert [row[0] for row in rows] == [1, 2]
    assert rows[0][1] < timedelta(minutes=10)
    assert rows[1][1] == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("who", "method", "path", "body", "code"),
    [
        ("sun-nurse", "POST", "/registry/p-001/status", {"status": "away", "reason": "x"}, 403),
        ("zhou-lan", "POST", "/registry/p-001/status", {"status": "away", "reason": "x"}, 404),
        ("gao-ping", "GET", "/registry/p-001", None, 404),
        ("gao-ping", "POST", "/registry/p-001/status", {"status": "away", "reason": "x"}, 404),
        ("xu-fang", "POST", "/kits/box-1/lend", {"patient": "p-001"}, 403),
        ("ma-tao", "POST", "/kits/box-9/lend", {"patient": "p-001"}, 404),
        ("zhou-lan", "POST", f"/shared-devices/{SHARED}/choose", {"patient": "p-007"}, 404),
        ("li-min", "POST", f"/shared-devices/{SHARED}/choose", {"patient": "p-003"}, 409),
        ("gao-ping", "POST", f"/shared-devices/{SHARED}/choose", {"patient": "p-001"}, 403),
        ("xu-fang", "POST", "/registry/p-001/reviewed", {"assessment_id": 1}, 409),
        ("xu-fang", "POST", "/registry/p-001/consents", {"purpose": "research", "version": "", "given": True,
                                                         "given_by": "patient"}, 409),
        ("xu-fang", "POST", "/registry/p-001/unbind", {"device": "none"}, 409),
        ("xu-fang", "PUT", "/registry/p-001/contacts", {"contacts": [{"name": "x", "relation": "son", "phone": "1"}]},
         422),
    ],
)  # fmt: skip
def test_who_may_not_is_refused(
    settled: Console, who: str, method: str, path: str, body: dict[str, Any] | None, code: int
) -> None:
    with api(settled, who) as caller:
        answer = caller.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code == code, answer.text


def test_who_sees_referrals_alone_sees_nothing_here(settled: Console) -> None:
    with api(settled, "gao-ping") as desk:
        for path in ("registry", "registry-to-unbind", "kits", "shared-devices"):
            assert desk.get(f"/api/v1/{path}").json() == []
        assert desk.get("/registry").status_code == 200


def test_the_api_writes_contacts_and_consents(keeper: httpx.Client) -> None:
    child = {"name": "王强", "relation": "child", "phone": "138", "may_be_told": True}
    card = keeper.put("/api/v1/registry/p-001/contacts", json={"contacts": [child]}).json()
    assert [(each["name"], each["may_be_told"], each["lives_with"]) for each in card["contacts"]] == [
        ("王强", True, False)
    ]
    said = {"purpose": "telemonitoring", "version": "2026-01", "given": True, "given_by": "patient"}
    before = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    keeper.post("/api/v1/registry/p-001/consents", json=said | {"at": before})
    card = keeper.post("/api/v1/registry/p-001/consents", json=said | {"given": False}).json()
    assert [(each["purpose"], each["given"]) for each in card["consents"]] == [("telemonitoring", False)]
