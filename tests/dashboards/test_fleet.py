"""The page of gateways and devices: what is near is claimed with clicks, and nothing old is shown as live."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboards import county, homes
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter
from tests.dashboards.homes import AWAY, CUFF, ELSEWHERE, FOREIGN, HOME, NEW, OXIMETER, THERMOMETER, WARD, WORN
from vitals.clock import ClinicalClock

pytestmark = pytest.mark.long

CLAIM = f"/fleet/{HOME}/{OXIMETER}/claim"


@pytest.fixture
def settled(console: Console) -> Console:
    """The county with its gateways."""
    with console.rows() as db:
        homes.settle(db)
    return console


def rows(console: Console, statement: str) -> list[tuple[Any, ...]]:
    with console.rows() as db:
        return db.execute(statement.encode()).fetchall()


def standing(console: Console) -> list[tuple[Any, ...]]:
    return rows(
        console, "SELECT gateway_id, device_key, driver FROM care_claim WHERE released_at IS NULL ORDER BY claim_id"
    )


def worn(console: Console, device: str) -> list[str]:
    statement = (
        "SELECT device_key, p.key FROM care_binding JOIN care_patient p USING (patient_id) WHERE valid_until IS NULL"
    )
    return [patient for key, patient in rows(console, statement) if key == device]


def opened(page: Page, console: Console, key: str = "li-min") -> Page:
    enter(page, console, key)
    page.click("nav >> text=设备")
    expect(page).to_have_url(f"{console.url}/fleet")
    page.wait_for_load_state()  # before its scripts are there a link leads to a page of its own
    return page


def gateway(page: Page, gateway_id: str) -> Any:
    return page.locator(f"#gateway-{gateway_id}")


def device(page: Page, gateway_id: str, address: str) -> Any:
    return gateway(page, gateway_id).locator(f'[data-device="{address}"]')


def test_who_is_not_there_stands_first_and_says_when_it_was_heard(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), settled)
    shown = [each.get_attribute("id") for each in page.locator("article.gateway").all()]
    assert set(shown[:3]) == {f"gateway-{WARD}", f"gateway-{AWAY}", f"gateway-{NEW}"}
    assert shown[3:] == [f"gateway-{HOME}"], "the other township's is not in sight"
    expect(gateway(page, HOME).locator(".gateway__standing")).to_contain_text("在线")
    expect(gateway(page, WARD).locator(".gateway__standing")).to_contain_text("失联")
    expect(gateway(page, WARD).locator(".gateway__standing")).to_contain_text("最后收到")
    expect(gateway(page, AWAY).locator(".gateway__standing")).to_contain_text("离线")
    expect(gateway(page, NEW).locator(".gateway__standing")).to_contain_text("从未上线")
    expect(page.locator(".fleet__counts li")).to_have_text(["在线 1", "失联 1", "离线 1", "从未上线 1"])


def test_the_list_and_the_counts_judge_each_gateway_by_its_own_heartbeat(settled: Console) -> None:
    said = {HOME: (300, 500), WARD: (300, 700), AWAY: (10, 25), NEW: (10, 40)}  # how often it speaks, heard so long ago
    odd = {"text": "300", "huge": 1e300, "large": 1e9, "none": None}
    with settled.rows() as db:
        for gateway_id, (heartbeat_s, age_s) in said.items():
            at = datetime.now(UTC) - timedelta(seconds=age_s)
            homes.hear(db, gateway_id, homes.heartbeat(heartbeat_s=heartbeat_s), at=at)
        for gateway_id, heartbeat_s in odd.items():
            db.execute("INSERT INTO gateway (gateway_id, organisation_id, place) VALUES (%s, 2, '')", [gateway_id])
            at = datetime.now(UTC) - timedelta(seconds=600)
            homes.hear(db, gateway_id, homes.heartbeat(heartbeat_s=heartbeat_s), at=at)
    with api(settled) as client:
        listed = [(each["gateway_id"], each["standing"]) for each in client.get("/api/v1/fleet").json()]
        assert dict(listed) == {
            HOME: "online", WARD: "silent", AWAY: "online", NEW: "silent",
            "text": "silent", "huge": "silent", "large": "online", "none": "silent",
        }  # fmt: skip
        assert [standing for _, standing in listed] == ["silent"] * 5 + ["online"] * 3
        page = client.get("/fleet").text
    counts = re.search(r"fleet__counts.*?</ul>", page, re.DOTALL)
    assert counts is not None
    assert re.findall(r"<b>(\d+)</b>", counts[0]) == ["3", "5"]


def test_of_a_gateway_that_is_not_there_no_signal_no_state_and_no_claim_is_shown(
    settled: Console, open_page: OpenPage
) -> None:
    page = opened(open_page(), settled)
    for gateway_id in (WARD, AWAY):
        expect(gateway(page, gateway_id).locator(".signal")).to_have_count(0)
        expect(gateway(page, gateway_id)).not_to_contain_text("dBm")
        expect(gateway(page, gateway_id)).not_to_contain_text("正在接收")
        expect(gateway(page, gateway_id).get_by_text("认领…")).to_have_count(0)
        expect(gateway(page, gateway_id).locator(".stale")).to_contain_text("不是现在的")
    expect(gateway(page, WARD)).to_contain_text("蓝牙重启: 收不到任何广播")
    expect(gateway(page, WARD)).to_contain_text("无法解读 3")


def test_strength_stands_as_bars_and_what_was_not_heard_lately_has_none(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), settled)
    expect(device(page, HOME, OXIMETER).locator(".signal__on")).to_have_count(4)
    expect(device(page, HOME, THERMOMETER).locator(".signal__on")).to_have_count(1)
    expect(device(page, HOME, CUFF).locator(".signal")).to_have_count(0)
    expect(device(page, HOME, CUFF)).to_contain_text("最后收到")


def test_a_signal_goes_by_itself_when_it_is_no_news_any_more(database: str, open_page: OpenPage) -> None:
    county.fill(database)
    clock = ClinicalClock(origin=datetime.now(UTC), speed=10.0)
    fast = Console(database, clock_origin=clock.origin.isoformat(), clock_speed=clock.speed)
    fast.start()
    try:
        page = open_page()
        enter(page, fast)
        with fast.rows() as db:
            homes.settle(db, now=clock.at(datetime.now(UTC)))  # some 11 s of ours before it is no news any more
        page.goto(f"{fast.url}/fleet")
        expect(device(page, HOME, OXIMETER).locator(".signal")).to_be_visible()
    finally:
        fast.stop()  # no server any more: what follows the page does alone
    expect(gateway(page, HOME).locator(".signal")).to_have_count(0)
    expect(gateway(page, HOME).locator(".gateway__standing")).to_contain_text("失联")
    expect(gateway(page, HOME).locator(".gateway__standing")).not_to_contain_text("在线")
    expect(page.locator("#lost")).to_be_visible()


def test_a_device_is_claimed_for_a_patient_with_a_few_taps(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(size=PHONE), settled)
    device(page, HOME, OXIMETER).get_by_text("认领…").click()
    sheet = page.locator("#sheet")
    expect(sheet.locator("h2")).to_have_text("My Oximeter")
    expect(sheet.locator("input[value=continuous]")).to_be_checked()
    page.fill("#wanted", "孙")
    expect(sheet.locator("#candidates .choice")).to_have_count(1)
    sheet.locator("#candidates .choice").click()
    sheet.get_by_role("button", name="认领").click()
    expect(sheet.locator(".done")).to_contain_text("已认领")
    assert standing(settled) == [(HOME, OXIMETER, "jumper")]
    assert worn(settled, OXIMETER) == ["p-003"]
    assert rows(settled, "SELECT person_id, act FROM registry_act") == [(1, "claimed")]
    assert ("oximeter", 1) in rows(settled, "SELECT kind, expected_every_s FROM device WHERE device_id > 1000")
    sheet.get_by_label("关闭").click()
    expect(device(page, HOME, OXIMETER)).to_contain_text("孙丽华")
    expect(device(page, HOME, OXIMETER)).to_contain_text("等待网关接管")


@pytest.mark.parametrize(
    ("said", "kept"),
    [("viatom", "viatom"), ("bluetooth_sig", None), (None, None), ("No Name!", None), ("x" * 65, None)],
)
def test_the_make_that_the_gateway_takes_it_for_is_shown_and_goes_with_the_claim(
    settled: Console, open_page: OpenPage, said: str | None, kept: str | None
) -> None:
    with settled.rows() as db:
        nearby = [homes.near(OXIMETER, "My Oximeter", "oximeter", driver=said)]
        homes.hear(db, HOME, homes.heartbeat(nearby=nearby))
    page = opened(open_page(), settled)
    device(page, HOME, OXIMETER).get_by_text("认领…").click()
    expect(page.locator("#sheet h2")).to_be_visible()
    expect(page.locator("#sheet .claim__driver .code")).to_have_text([kept] if kept else [])
    claimed(settled)
    assert standing(settled) == [(HOME, OXIMETER, kept)]


@pytest.mark.parametrize(("wish", "kept"), [({}, "jumper"), ({"driver": None}, None), ({"driver": "viatom"}, "viatom")])
def test_the_api_may_name_another_driver_or_let_the_gateway_choose_at_each_link(
    settled: Console, wish: dict[str, str | None], kept: str | None
) -> None:
    with api(settled) as client:
        assert client.post(f"/api/v1/fleet/{HOME}/devices/{OXIMETER}/claim", json=wish).status_code == 200
    assert standing(settled) == [(HOME, OXIMETER, kept)]


@pytest.mark.parametrize(("streams", "every_s", "wellness"), [(True, 1, True), (False, None, False)])
def test_what_the_gateway_knows_of_a_make_is_what_is_proposed(
    settled: Console, streams: bool, every_s: int | None, wellness: bool
) -> None:
    with settled.rows() as db:
        nearby = [homes.near(OXIMETER, "PO60", "oximeter", streams=streams, wellness=wellness)]
        homes.hear(db, HOME, homes.heartbeat(nearby=nearby))
    claimed(settled)
    found = rows(settled, "SELECT expected_every_s, wellness FROM device WHERE device_id > 1000")
    assert found == [(every_s, wellness)]


def test_everything_can_be_done_by_keyboard(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), settled)
    device(page, HOME, THERMOMETER).locator("a.button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sheet input[value=spot]")).to_be_checked()
    page.locator("#wanted").focus()
    page.keyboard.type("w.g.f")
    expect(page.locator("#candidates .choice")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#candidates input")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.locator("#sheet .done")).to_be_visible()
    assert worn(settled, THERMOMETER) == ["p-005"]


def test_the_keyboard_stays_where_it_was_when_news_come(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), settled)
    link = device(page, HOME, THERMOMETER).locator("a.button")
    link.focus()
    before = link.element_handle()
    page.wait_for_function("old => !old.isConnected", arg=before)
    expect(link).to_be_focused()


def test_a_device_may_be_worn_by_nobody_yet_and_a_choice_has_to_be_made(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), settled)
    device(page, HOME, OXIMETER).get_by_text("认领…").click()
    page.click("#sheet .claim .button--primary")
    assert standing(settled) == [], "the browser asks for a choice"
    page.click("#sheet .choice:has-text('暂无人佩戴')")
    page.click("#sheet .choice:has-text('单次测量')")
    page.click("#sheet .claim .button--primary")
    expect(page.locator("#sheet .done")).to_be_visible()
    assert (worn(settled, OXIMETER), standing(settled)) == ([], [(HOME, OXIMETER, "jumper")])
    assert ("oximeter", None) in rows(settled, "SELECT kind, expected_every_s FROM device WHERE device_id > 1000")


def test_a_device_of_another_centre_s_patient_may_be_read_here_but_stays_with_the_patient(
    settled: Console, open_page: OpenPage
) -> None:
    page = opened(open_page(), settled)
    expect(device(page, HOME, FOREIGN)).to_contain_text("由其他机构的患者佩戴")
    expect(page.locator("main")).not_to_contain_text("何秋月")
    device(page, HOME, FOREIGN).get_by_text("认领…").click()
    expect(page.locator("#sheet .choice")).to_have_count(1)
    page.click("#sheet .claim .button--primary")
    expect(page.locator("#sheet .done")).to_be_visible()
    assert (worn(settled, FOREIGN), standing(settled)) == (["p-007"], [(HOME, FOREIGN, "jumper")])
    with api(settled) as client:
        for wearer in ("nobody", "patient:p-003"):
            assert client.post(f"/fleet/{HOME}/{FOREIGN}/claim", data={"wearer": wearer}).status_code == 403
        assert client.post(f"/fleet/{HOME}/{FOREIGN}/release", data={"unbind": "1"}).status_code == 403
    assert worn(settled, FOREIGN) == ["p-007"]


def claimed(console: Console, patient: str = "p-003") -> None:
    with api(console) as client:
        done = client.post(f"/api/v1/fleet/{HOME}/devices/{OXIMETER}/claim", json={"patient_key": patient})
        assert done.status_code == 200, done.text


@pytest.mark.parametrize("unbind", [True, False])
def test_a_device_is_released_with_a_second_tap(settled: Console, open_page: OpenPage, unbind: bool) -> None:
    claimed(settled)
    page = opened(open_page(size=PHONE), settled)
    line = device(page, HOME, OXIMETER)
    line.get_by_text("解除…").click()
    assert len(standing(settled)) == 1
    if unbind:
        line.locator("input[name=unbind]").check()
    line.get_by_role("button", name="解除", exact=True).click()
    expect(device(page, HOME, OXIMETER).get_by_text("认领…")).to_be_visible()
    assert (standing(settled), worn(settled, OXIMETER)) == ([], [] if unbind else ["p-003"])


def test_a_release_that_is_being_thought_over_is_not_swept_away_by_news(settled: Console, open_page: OpenPage) -> None:
    claimed(settled)
    page = opened(open_page(), settled)
    device(page, HOME, OXIMETER).get_by_text("解除…").click()
    device(page, HOME, OXIMETER).locator("input[name=unbind]").check()
    with page.expect_response(lambda answer: "/fleet/list" in answer.url), settled.rows() as db:
        county.notify(db)
        page.evaluate("htmx.trigger('#fleet', 'fleet')")
    expect(device(page, HOME, OXIMETER).locator("input[name=unbind]")).to_be_checked()


def test_news_of_a_gateway_comes_to_the_open_page_by_itself(settled: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), settled)
    with settled.rows() as db:
        homes.hear(db, NEW, homes.heartbeat(nearby=[homes.near("C0:00:00:00:00:1F", "Fresh", "oximeter")]))
    expect(device(page, NEW, "C0:00:00:00:00:1F")).to_contain_text("Fresh")
    expect(gateway(page, NEW).locator(".gateway__standing")).to_contain_text("在线")


def test_a_place_is_found_and_what_a_device_calls_itself_is_only_text(settled: Console, open_page: OpenPage) -> None:
    with settled.rows() as db:
        evil = homes.near("C0:00:00:00:00:1E", "<img src=x onerror=alert(1)>", "oximeter")
        homes.hear(db, HOME, homes.heartbeat(nearby=[evil]))
    page = opened(open_page(), settled)
    page.fill("#find", "村12")
    page.keyboard.press("Enter")
    expect(page.locator("article.gateway")).to_have_count(1)
    expect(gateway(page, HOME)).to_contain_text("<img src=x onerror=alert(1)>")
    page.fill("#find", "nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#fleet")).to_contain_text("没有找到网关")


@pytest.fixture
def client(settled: Console) -> Iterator[httpx.Client]:
    with api(settled) as opened_client:
        yield opened_client


def test_without_a_script_a_device_is_found_claimed_and_released(settled: Console, client: httpx.Client) -> None:
    csrf = client.headers.pop("X-CSRF-Token")
    form = client.get(CLAIM, params={"q": "赵"}).text
    assert ('value="patient:p-002"' in form, 'value="patient:p-003"' in form) == (True, False)
    assert f'action="{CLAIM}"' in form
    chosen = {"csrf": csrf, "wearer": "patient:p-002", "worn": "continuous"}
    answer = client.post(CLAIM, data=chosen)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/fleet#gateway-{HOME}")
    assert (standing(settled), worn(settled, OXIMETER)) == ([(HOME, OXIMETER, "jumper")], ["p-002"])
    answer = client.post(f"/fleet/{HOME}/{OXIMETER}/release", data={"csrf": csrf, "unbind": "1"})
    assert (answer.status_code, standing(settled), worn(settled, OXIMETER)) == (303, [], [])
    assert client.post(CLAIM, data={"csrf": csrf}).status_code == 409
    assert "请选择谁佩戴" in client.post(CLAIM, data={"csrf": csrf}).text


@pytest.mark.parametrize("role", ["county_expert", "operations", "duty", "coordinator"])
def test_who_may_not_claim_sees_the_page_without_buttons_and_is_refused(settled: Console, role: str) -> None:
    with settled.rows() as db:
        db.execute("UPDATE person SET role = %s WHERE key = 'li-min'", [role])
    with api(settled) as client:
        page = client.get("/fleet").text
        assert "My Oximeter" in page
        assert "/claim" not in page
        assert client.get(CLAIM).status_code == 403
        for path in (CLAIM, f"/fleet/{HOME}/{OXIMETER}/release"):
            assert client.post(path, data={"wearer": "nobody"}).status_code == 403
            api_path = path.replace("/fleet/", "/api/v1/fleet/").replace(f"/{OXIMETER}", f"/devices/{OXIMETER}")
            assert client.post(api_path, json={}).status_code == 403
    assert standing(settled) == []


@pytest.mark.parametrize("role", ["nurse", "technician", "family_doctor", "admin"])
def test_who_may_claim_claims(settled: Console, role: str) -> None:
    with settled.rows() as db:
        db.execute("UPDATE person SET role = %s WHERE key = 'li-min'", [role])
    claimed(settled)
    assert standing(settled) == [(HOME, OXIMETER, "jumper")]


def test_what_is_out_of_sight_can_neither_be_seen_nor_claimed_nor_bound(settled: Console, client: httpx.Client) -> None:
    assert ELSEWHERE not in client.get("/fleet").text
    assert {each["gateway_id"] for each in client.get("/api/v1/fleet").json()} == {HOME, WARD, AWAY, NEW}
    assert client.get(f"/fleet/{ELSEWHERE}/{OXIMETER}/claim").status_code == 404
    assert client.post(f"/fleet/{ELSEWHERE}/{OXIMETER}/claim", data={"wearer": "nobody"}).status_code == 404
    assert client.post(CLAIM, data={"wearer": "patient:p-007"}).status_code == 404, "the other township's patient"
    assert "何秋月" not in client.get(CLAIM).text
    assert client.get(f"/fleet/{HOME}/C0:00:00:00:00:99/claim").status_code == 404, "nobody hears such a device"
    with api(settled, "zhou-lan") as other:
        assert other.post(CLAIM, data={"wearer": "nobody"}).status_code == 404
    assert standing(settled) == []


@pytest.mark.parametrize("header", [{}, {"X-CSRF-Token": "made-up"}])
def test_a_claim_without_the_session_s_token_is_refused(
    settled: Console, client: httpx.Client, header: dict[str, str]
) -> None:
    del client.headers["X-CSRF-Token"]
    for path in (CLAIM, f"/fleet/{HOME}/{OXIMETER}/release"):
        assert client.post(path, headers=header, data={"wearer": "nobody", "csrf": "x"}).status_code == 403
    for path in ("claim", "release"):
        answer = client.post(f"/api/v1/fleet/{HOME}/devices/{OXIMETER}/{path}", headers=header, json={})
        assert answer.status_code == 403
    assert standing(settled) == []


def test_the_api_lists_claims_and_releases(settled: Console, client: httpx.Client) -> None:
    listed = {each["gateway_id"]: each for each in client.get("/api/v1/fleet").json()}
    assert {key: each["standing"] for key, each in listed.items()} == {
        HOME: "online", WARD: "silent", AWAY: "offline", NEW: "never",
    }  # fmt: skip
    assert [each["rssi"] for each in listed[HOME]["nearby"]] == [-58, -84, None, -71]
    [silent] = listed[WARD]["devices"]
    assert (silent["address"], silent["patient_key"], silent["rssi"], silent["state"]) == (WORN, "p-001", None, None)
    path = f"/api/v1/fleet/{HOME}/devices/{OXIMETER}"
    done = client.post(f"{path}/claim", json={"patient_key": "p-002", "driver": "jumper", "continuous": False})
    assert [(each["address"], each["patient_key"], each["claimed"]) for each in done.json()["devices"]] == [
        (OXIMETER, "p-002", True)
    ]
    assert standing(settled) == [(HOME, OXIMETER, "jumper")]
    assert client.post(f"{path}/release", json={"unbind": True}).json()["devices"] == []
    assert client.post(f"{path}/release", json={}).status_code == 409
    for wrong in ({"driver": "../x"}, {"colour": 1}, {"keep_wearer": "yes"}):
        assert client.post(f"{path}/claim", json=wrong).status_code == 422


def test_a_gateway_at_its_bound_says_so_in_words(settled: Console, client: httpx.Client) -> None:
    with settled.rows() as db:
        db.execute(
            "WITH d AS (INSERT INTO device (key, kind) SELECT 'D0:00:00:00:00:' || lpad(to_hex(n), 2, '0'), 'scale'"
            " FROM generate_series(1, 64) n RETURNING device_id)"
            " INSERT INTO claim (gateway_id, device_id, claimed_at) SELECT %s, device_id, now() FROM d",
            [HOME],
        )
    answer = client.post(CLAIM, data={"wearer": "nobody"})
    assert (answer.status_code, "该网关的设备已满" in answer.text) == (409, True)


def test_a_gateway_heard_of_before_two_heartbeats_is_silent_at_once(settled: Console, client: httpx.Client) -> None:
    with settled.rows() as db:
        homes.hear(db, HOME, homes.heartbeat(), at=datetime.now(UTC) - timedelta(seconds=121))
    listed = {each["gateway_id"]: each["standing"] for each in client.get("/api/v1/fleet").json()}
    assert listed[HOME] == "silent"
