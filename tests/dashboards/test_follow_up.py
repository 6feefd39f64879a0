"""Follow-up on the screen: a contact in a few taps on a phone, signs to decide on, who is late, who sees what."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from care.follow_up import Sign
from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

PEOPLE = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id) VALUES
    (8, 'grid-1', '青石村第一网格', 'Qingshi Grid 1', 'grid', 2);
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES
    (8, 'sun-hai', '孙海', 'Sun Hai', 8, 'helper', 2), (9, 'ma-li', '马丽', 'Ma Li', 8, 'helper', 2);
"""
NONE_OF_THEM = dict.fromkeys(Sign, "no")
WELL = {"way": "phone", "reached": True, "signs": NONE_OF_THEM}
ILL = {"way": "visit", "reached": True, "signs": NONE_OF_THEM | {"breathless": "yes"}}


@pytest.fixture
def doctor(console: Console) -> Iterator[httpx.Client]:
    with api(console) as opened:
        yield opened


def begun(client: httpx.Client, key: str = "p-003", **more: Any) -> int:
    answer = client.post(f"/api/v1/patients/{key}/follow-up", json={"why": "阳性，居家"} | more)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["follow_up_id"])


def late_by(console: Console, follow_up_id: int, late: timedelta) -> None:
    with console.rows() as db:
        db.execute("UPDATE follow_up SET due_at = %s WHERE follow_up_id = %s", [datetime.now(UTC) - late, follow_up_id])


def panel(page: Page, console: Console, key: str = "p-003") -> None:
    enter(page, console)
    page.goto(f"{console.url}/patients/{key}/follow-up")


def test_a_contact_on_a_phone_is_a_few_taps(console: Console, open_page: OpenPage, doctor: httpx.Client) -> None:
    number = begun(doctor)
    page = open_page(size=PHONE)
    panel(page, console)
    page.click("text=其余都问过，均无")
    page.fill("[name=temperature]", "37.4")
    page.click(".chip:has-text('阴性')")
    page.click("button:has-text('保存：已接通')")
    expect(page.locator(".done")).to_contain_text("随访已记录")
    expect(page.locator(".warned")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = doctor.get("/api/v1/patients/p-003/follow-up").json()
    (contact,) = found["contacts"]
    assert (contact["reached"], contact["signs"], contact["temperature"]) == (True, NONE_OF_THEM, "37.4")
    assert (contact["antigen"], found["follow_up"]["antigen"], contact["has_warning"]) == (
        "negative",
        "negative",
        False,
    )
    assert datetime.fromisoformat(found["follow_up"]["due_at"]) > datetime.now(UTC) + timedelta(days=2)
    assert found["follow_up"]["follow_up_id"] == number
    assert doctor.get("/api/v1/episodes").json() == []


def test_a_warning_sign_asks_for_a_decision_and_the_alarm_is_raised_by_a_tap(
    console: Console, open_page: OpenPage, doctor: httpx.Client
) -> None:
    number = begun(doctor)
    for _ in range(12):
        doctor.post(f"/api/v1/follow-ups/{number}/contacts", json=WELL)
    page = open_page(size=PHONE)
    panel(page, console)
    page.click(".sign:has-text('呼吸困难') .chip:has-text('有')")
    page.click("text=其余都问过，均无")
    page.click("button:has-text('保存：已接通')")
    expect(page.locator(".warned h2")).to_contain_text("现在就要决定")
    expect(page.locator(".warned h2")).to_be_in_viewport()
    expect(page.locator(".warned__signs")).to_have_text("呼吸困难")
    expect(page.locator(".warned")).to_contain_text("系统不会自动拨打")
    expect(page.locator(".warned")).to_contain_text("仍未决定，将自动报警")
    assert doctor.get("/api/v1/episodes").json() == []
    page.click("button:has-text('报警')")
    expect(page.locator(".done")).to_contain_text("已报警")
    expect(page.locator(".warned")).to_have_count(0)
    (episode,) = doctor.get("/api/v1/episodes").json()
    assert (episode["rule"], episode["priority"], episode["tier3"], episode["state"]) == (
        "SYMPTOM",
        "high",
        True,
        "unack",
    )
    page.click("text=查看预警")
    expect(page.locator(".episode h2")).to_have_text("出现危险症状")
    expect(page.locator(".episode")).to_contain_text("呼吸困难，电话随访时得知")


def test_what_is_refused_keeps_what_was_typed(console: Console, open_page: OpenPage, doctor: httpx.Client) -> None:
    begun(doctor)
    page = open_page(size=PHONE)
    panel(page, console)
    page.fill("[name=spo2]", "97")
    page.click("button:has-text('保存：已接通')")
    expect(page.locator(".trouble:not(:empty)")).to_contain_text("nothing was asked")
    expect(page.locator("[name=spo2]")).to_have_value("97")
    page.click("button:has-text('未接通')")
    expect(page.locator(".done")).to_contain_text("请当天再试")
    (contact,) = doctor.get("/api/v1/patients/p-003/follow-up").json()["contacts"]
    assert (contact["reached"], contact["spo2"]) == (False, "")


def test_the_list_shows_the_longest_overdue_first_with_the_count(
    console: Console, open_page: OpenPage, doctor: httpx.Client
) -> None:
    for key, late in (("p-001", 5), ("p-002", 30), ("p-003", 50)):
        late_by(console, begun(doctor, key), timedelta(hours=late))
    begun(doctor, "p-004")
    page = open_page(size=PHONE)
    enter(page, console)
    page.goto(console.url + "/follow-up")
    expect(page).to_have_title("(3) 随访 · hearthwatch")
    expect(page.locator(".counts")).to_contain_text("逾期 3 人")
    expect(page.locator(".counts .late--long_overdue")).to_have_text("其中超过一天 2 人")
    expect(page.locator(".due-list h2")).to_have_text(["逾期超过一天 2", "逾期 1", "以后 1"])
    expect(page.locator(".due-line__who b")).to_have_text(["孙丽华", "赵国强", "王秀英", "周德明"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    listed = doctor.get("/api/v1/follow-ups").json()
    assert listed["counts"] == {"overdue": 3, "long_overdue": 2, "today": 0, "followed": 4}
    assert [each["patient_key"] for each in listed["long_overdue"]] == ["p-003", "p-002"]
    with console.rows() as db:  # a list: nobody is paged for it
        assert db.execute("SELECT count(*) FROM notice").fetchone() == (0,)


def test_undecided_signs_stand_on_top_of_the_list_until_somebody_decides(
    console: Console, open_page: OpenPage, doctor: httpx.Client
) -> None:
    number = begun(doctor)
    said = doctor.post(f"/api/v1/follow-ups/{number}/contacts", json=ILL).json()
    assert (said["warning_signs"], said["needs_decision"]) == (["breathless"], True)
    page = open_page()
    enter(page, console)
    page.goto(console.url + "/follow-up")
    expect(page.locator(".warned h2")).to_contain_text("孙丽华")
    page.goto(console.url + str(page.locator(".warned a:has-text('现在决定')").get_attribute("href")))
    page.click("summary:has-text('不报警')")
    page.fill(".warned textarea", "旧有哮喘，已当面看过")
    page.click("button:has-text('确认：孙丽华 不报警')")
    expect(page.locator(".done")).to_contain_text("已决定不报警")
    page.goto(console.url + "/follow-up")
    expect(page.locator(".warned")).to_have_count(0)
    url = f"/api/v1/follow-ups/contacts/{said['contact']['contact_id']}/decide"
    assert doctor.post(url, json={"decision": "alarm"}).status_code == 409


def test_it_is_opened_made_denser_and_ended_on_the_patients_page(console: Console, open_page: OpenPage) -> None:
    page = open_page()
    enter(page, console)
    page.goto(console.url + "/patients/p-003")
    page.click("summary:has-text('开始随访')")
    page.fill("#follow-up .decision[open] textarea", "抗原阳性，居家")
    page.click("button:has-text('开始随访 孙丽华')")
    expect(page.locator("#follow-up .panel__head")).to_contain_text("每三天一次")
    page.click("summary:has-text('随访频次')")
    page.click(".decision[open] .chip:has-text('每天两次')")
    page.fill("#follow-up .decision[open] textarea", "又发热")
    page.click("button:has-text('更改频次')")
    expect(page.locator("#follow-up .panel__head")).to_contain_text("每天两次")
    page.click("summary:has-text('结束…')")
    page.click(".decision[open] .chip:has-text('康复')")
    page.fill("#follow-up .decision[open] textarea", "十天无症状")
    page.click("button:has-text('结束 孙丽华 的随访')")
    expect(page.locator("#follow-up")).to_contain_text("没有进行中的随访")
    expect(page.locator("#follow-up .timeline li")).to_have_count(3)
    expect(page.locator("#follow-up .timeline")).to_contain_text("又发热")


def test_a_helper_sees_the_tasks_and_no_patient(console: Console, open_page: OpenPage, doctor: httpx.Client) -> None:
    with console.rows() as db:
        db.execute(PEOPLE.encode())
    begun(doctor)
    page = open_page()
    panel(page, console)
    page.click("summary:has-text('给志愿者派任务')")
    page.click(".chip:has-text('送抗原试剂')")
    page.select_option("[name=assignee]", label="孙海")
    page.fill(".decision:has([name=assignee]) textarea", "两份")
    page.click("button:has-text('派任务')")
    expect(page.locator(".done")).to_contain_text("任务已派出")
    with api(console, "sun-hai") as helper, api(console, "ma-li") as other:
        (task,) = helper.get("/api/v1/tasks").json()
        assert (task["patient_name"], task["what"], task["in_scope"]) == ("孙丽华", "deliver_antigen", False)
        assert other.get("/api/v1/tasks").json() == []
        assert helper.get("/api/v1/patients/p-003/follow-up").status_code == 404
        assert helper.get("/api/v1/follow-ups").json()["counts"]["followed"] == 0
        assert helper.get("/api/v1/referrals").json() == []
        assert helper.get("/api/v1/episodes").json() == []
        assert other.post(f"/api/v1/tasks/{task['task_id']}/settle", json={"state": "done"}).status_code == 404
    phone = open_page(size=PHONE)
    enter(phone, console, "sun-hai")
    phone.goto(console.url + "/follow-up")
    expect(phone.locator(".due-line")).to_contain_text("孙丽华")
    expect(phone.locator(".due-line a[href^='/patients']")).to_have_count(0)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.click("button:has-text('完成')")
    expect(phone.locator("#tasks")).to_have_count(0)
    (settled,) = doctor.get("/api/v1/patients/p-003/follow-up").json()["tasks"]
    assert settled["state"] == "done"


def test_a_task_of_the_pool_is_anybodys_there_and_not_being_done_has_its_reason(
    console: Console, open_page: OpenPage, doctor: httpx.Client
) -> None:
    with console.rows() as db:
        db.execute(PEOPLE.encode())
    due_at = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    body = {"what": "visit", "due_at": due_at, "organisation_id": 8}
    made = doctor.post("/api/v1/patients/p-003/tasks", json=body)
    assert made.status_code == 200, made.text
    page = open_page(size=PHONE, language="en-GB")
    enter(page, console, "ma-li")
    page.goto(console.url + "/follow-up")
    page.click("summary:has-text('Can not be done')")
    page.fill("textarea", "nobody opens the door")
    page.click("button:has-text('Can not be done')")
    expect(page.locator("#tasks")).to_have_count(0)
    (settled,) = doctor.get("/api/v1/patients/p-003/follow-up").json()["tasks"]
    assert (settled["state"], settled["said_note"]) == ("cannot", "nobody opens the door")


def test_a_teams_helper_sees_the_tasks_of_its_patients_wherever_he_is_employed(
    console: Console, doctor: httpx.Client
) -> None:
    """And nobody else's helper does; what no team's helper could see is the organisation's, as before."""
    with console.rows() as db:
        db.execute(PEOPLE.encode())
        db.execute(
            "INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier)"
            " VALUES (10, 'grid', '网格员', 'Grid worker', 5, 'helper', 2)"
        )
    due_at = (datetime.now(UTC) + timedelta(hours=5)).isoformat()

    def task(patient: str) -> int:
        body = {"what": "visit", "due_at": due_at, "organisation_id": 8}
        return int(doctor.post(f"/api/v1/patients/{patient}/tasks", json=body).json()["task_id"])

    def seen(key: str) -> set[int]:
        with api(console, key) as helper:
            return {each["task_id"] for each in helper.get("/api/v1/tasks").json()}

    made = task("p-003")
    assert (seen("sun-hai"), seen("grid")) == ({made}, set())
    with console.rows() as db:
        db.execute(
            "INSERT INTO team (team_id, key, name, organisation_id) OVERRIDING SYSTEM VALUE"
            " VALUES (90, 'grid-7', 'Grid 7', 8);"
            "INSERT INTO team_member (team_id, member_role, helper, joined_at)"
            " VALUES (90, 'helper', 'Wang 0318', now());"
            "INSERT INTO team_patient (patient_id, team_id, since)"
            " SELECT patient_id, 90, now() FROM patient WHERE key = 'p-003'"
        )
    assert (seen("sun-hai"), seen("grid")) == ({made}, set())  # nobody of the team signs in
    with console.rows() as db:
        db.execute(
            "INSERT INTO team_member (team_id, member_role, person_id, joined_at) VALUES (90, 'helper', 10, now())"
        )
    assert (seen("sun-hai"), seen("grid")) == (set(), {made})
    with api(console, "grid") as helper:
        assert helper.post(f"/api/v1/tasks/{made}/settle", json={"state": "done"}).status_code == 200
    with console.rows() as db:
        db.execute("UPDATE team_member SET left_at = now() WHERE person_id = 10")
    other = task("p-003")
    assert (seen("sun-hai"), seen("grid")) == ({other}, set())


@pytest.mark.parametrize("key", ["zhou-lan", "tang-hai"])
def test_out_of_scope_nothing_exists(console: Console, doctor: httpx.Client, key: str) -> None:
    with console.rows() as db:
        db.execute(
            "INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier)"
            " VALUES (7, 'tang-hai', '唐海', 'Tang Hai', 1, 'dispatcher', 2)"
        )
    number = begun(doctor)
    contact_id = doctor.post(f"/api/v1/follow-ups/{number}/contacts", json=ILL).json()["contact"]["contact_id"]
    due_at = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    task = doctor.post("/api/v1/patients/p-003/tasks", json={"what": "visit", "due_at": due_at}).json()["task_id"]
    with api(console, key) as other:
        assert other.get("/api/v1/follow-ups").json()["counts"]["followed"] == 0
        assert other.get("/api/v1/patients/p-003/follow-up").status_code == 404
        assert other.get("/api/v1/tasks").json() == []
        for url, body in (
            ("patients/p-003/follow-up", {"why": "x"}),
            (f"follow-ups/{number}/cadence", {"cadence": "daily", "why": "x"}),
            (f"follow-ups/{number}/contacts", WELL),
            (f"follow-ups/{number}/end", {"ended_as": "recovered", "why": "x"}),
            (f"follow-ups/contacts/{contact_id}/decide", {"decision": "alarm"}),
            ("patients/p-003/tasks", {"what": "visit", "due_at": due_at}),
            (f"tasks/{task}/settle", {"state": "done"}),
        ):
            assert other.post(f"/api/v1/{url}", json=body).status_code == 404, url


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"signs": {"bored": "yes"}}, 422),
        ({"signs": {"pain": "perhaps"}}, 422),
        ({"way": "pigeon"}, 422),
        ({"spo2_percent": 97}, 422),
        ({"antigen": "positive", "antigen_at": "2026-11-22T10:00:00"}, 422),
        ({"antigen": "positive", "antigen_at": "2126-11-22T10:00:00Z"}, 409),
        ({"reached": False}, 409),
    ],
)
def test_a_wrong_contact_is_refused(doctor: httpx.Client, change: dict[str, Any], status: int) -> None:
    number = begun(doctor)
    assert doctor.post(f"/api/v1/follow-ups/{number}/contacts", json=WELL | change).status_code == status


def test_a_form_without_its_token_is_refused(doctor: httpx.Client) -> None:
    number = begun(doctor)
    del doctor.headers["X-CSRF-Token"]
    form = {"way": "phone", "reached": "true", "rest": "no"}
    assert doctor.post(f"/follow-ups/{number}/contact", data=form).status_code == 403
    assert doctor.post(f"/api/v1/follow-ups/{number}/contacts", json=WELL).status_code == 403


def test_one_that_is_open_stays_as_it_is(doctor: httpx.Client) -> None:
    begun(doctor, cadence="daily")
    again = doctor.post("/api/v1/patients/p-003/follow-up", json={"why": "again"})
    assert again.status_code == 409
    assert "is open" in again.json()["detail"]


def test_staying_home_opens_one(console: Console, doctor: httpx.Client) -> None:
    with console.rows() as db:
        alarm = county.Alarm(patient_id=3, rule="FEVER-48H", family="fever", priority="medium")
        number = county.add_alarm(db, alarm, datetime.now(UTC))
    assert doctor.post(f"/api/v1/episodes/{number}/acknowledge").status_code == 200
    assert doctor.post(f"/api/v1/episodes/{number}/decide", json={"disposition": "stay_home"}).status_code == 200
    found = doctor.get("/api/v1/patients/p-003/follow-up").json()["follow_up"]
    assert (found["cadence"], found["why"]) == ("every_3_days", "stay_home: FEVER-48H")
