"""Alarms that are no patient's: a gateway's, an unbound device's, the centre's, in the inbox, on the wall, by phone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from alerting.desk import Desk, connect
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.technical import Family
from alerting.technical.faults import cover, open_alarms, settle
from alerting.technical.finding import Finding, Standing, of_centre, of_device, of_gateway
from tests.dashboards import county
from tests.dashboards.conftest import PHONE, WALL, Console, OpenPage, api, enter
from tests.dashboards.homes import WARD
from tests.dashboards.homes import settle as settle_homes

pytestmark = pytest.mark.long

CARD = "article.card"
DEVICE = "C0:00:00:00:00:99"
UNBOUND = Finding(
    subject=of_device(DEVICE, 5, WARD),
    family=Family.UNBOUND_LOW,
    standing=Standing.FAULT,
    rule="TECH-UNBOUND-LOW",
    evidence={"why": "bound_to_nobody", "device": DEVICE, "signal": "spo2", "unit": "%", "lowest": 84.0},
)


@pytest.fixture
def desk(console: Console) -> Iterator[Desk]:
    """Alerting's own desk on the county's database, with the county's gateways."""
    with console.rows() as db:
        settle_homes(db)
    profile = parse_profile(standard_adult())
    with connect(console.dsn, "test") as connection:
        made = Desk(connection=connection, profile=profile, now=datetime.now(UTC))
        made.run("save_profile", profile_hash=profile.profile_hash, name=profile.name, body=profile.body, now=made.now)
        yield made


def fault(desk: Desk, family: Family, rule: str, *, centre: bool = False, why: str) -> int:
    """Raise an alarm of the nursing home's gateway, or of the centre, by alerting's own code; gives its number."""
    since = desk.now - timedelta(minutes=4)
    subject = of_centre(1) if centre else of_gateway(WARD, 5)
    evidence = {"why": why, "last_heard_at": since.isoformat()}
    finding = Finding(
        subject=subject, family=family, standing=Standing.FAULT, rule=rule, since=since, evidence=evidence
    )
    assert settle(desk, [family], [finding]) == 1
    return int(open_alarms(desk, [family])[subject.key, family.value].episode_id)


def gateway_silent(desk: Desk) -> int:
    """Raise the silence of the nursing home's gateway, which explains two devices."""
    episode_id = fault(desk, Family.GATEWAY, "TECH-GATEWAY", why="no_heartbeat")
    cover(desk, episode_id, [{"device": "C0:00:00:00:00:01"}, {"device": "C0:00:00:00:00:04"}])
    return episode_id


def broker_silent(desk: Desk) -> int:
    """Raise the broker's silence."""
    return fault(desk, Family.BROKER, "TECH-BROKER", centre=True, why="no_broker")


SAID = {
    "zh-CN": (
        *("网关失联", "敬老院二楼", "ward-2", "青石镇敬老院", "未收到心跳"),
        *("因此有 2 个网关和设备没有数据", "轮到：值班与运维 · 无人接手"),
    ),
    "en-GB": (
        *("Gateway silent", "Qingshi Nursing Home", "no heartbeat", "2 gateways and devices are silent by it"),
        "Turn: duty and operations · nobody has taken it on",
    ),
}


@pytest.mark.parametrize("language", SAID)
def test_a_gateways_alarm_stands_among_the_patients_by_its_place(
    console: Console, desk: Desk, open_page: OpenPage, language: str
) -> None:
    gateway_silent(desk)
    with console.rows() as db:
        county.raise_all(db)
    page = open_page(language=language)
    enter(page, console)
    expect(page.locator(CARD)).to_have_count(5)
    card = page.locator(f"{CARD}:has-text('ward-2')")
    for each in SAID[language]:
        expect(card).to_contain_text(each)
    assert card.locator(".vital").count() == 0


def test_whoever_is_on_duty_takes_it_on_and_has_it_attended_to(
    console: Console, desk: Desk, open_page: OpenPage
) -> None:
    episode_id = gateway_silent(desk)
    page = open_page(language="en-GB")
    enter(page, console, "wu-jie")
    page.click(f"#act-{episode_id}")
    expect(page.locator("#sheet-title")).to_contain_text("敬老院二楼")
    page.click("#sheet-body .button--primary")
    expect(page.locator("#sheet-body .decisions summary")).to_have_text(
        ["have it attended to…", "False alarm…", "Close…"], ignore_case=True
    )
    page.click("#sheet-body .decisions summary >> nth=0")
    page.click("#sheet-body .decision[open] .button--primary")
    expect(page.locator("#sheet-body .done")).to_contain_text("being attended to")
    page.goto(f"{console.url}/episodes/{episode_id}")
    expect(page).to_have_url(f"{console.url}/alarms/{episode_id}#episode-{episode_id}")
    expect(page.locator("h1")).to_contain_text("ward-2")
    expect(page.locator(".timeline").first).to_contain_text("being attended to")
    expect(page.locator(".timeline").first).to_contain_text("Wu Jie")


def test_the_centres_alarm_is_seen_by_all_below_it_and_acted_on_by_the_county(
    console: Console, desk: Desk, open_page: OpenPage
) -> None:
    episode_id = broker_silent(desk)
    page = open_page()
    enter(page, console, "zhou-lan")
    expect(page.locator(f"{CARD} h2")).to_have_text(["消息代理中断，全部患者无人监测"])
    assert page.locator(f"#act-{episode_id}").count() == 0
    with api(console, "zhou-lan") as client:
        assert client.get("/api/v1/episodes").json() == []
        assert client.get(f"/alarms/{episode_id}").status_code == 404
        assert client.post(f"/api/v1/episodes/{episode_id}/acknowledge").status_code == 404
    with api(console, "chen-gang") as client:
        (listed,) = client.get("/api/v1/episodes").json()
        assert (listed["patient_key"], listed["subject"], listed["possible_acts"]) == (
            None,
            "centre:1",
            ["acknowledge", "note"],
        )
        assert client.post(f"/api/v1/episodes/{episode_id}/acknowledge").json()["state"] == "ack"


def test_a_gateway_of_another_centre_does_not_exist(console: Console, desk: Desk) -> None:
    episode_id = gateway_silent(desk)
    with api(console, "zhou-lan") as client:
        assert "ward-2" not in client.get("/").text
        for path in (f"/alarms/{episode_id}", f"/alarms/{episode_id}/episodes", f"/episodes/{episode_id}/sheet"):
            assert client.get(path).status_code == 404


def test_the_wall_has_a_strip_for_what_is_no_patients(console: Console, desk: Desk, open_page: OpenPage) -> None:
    gateway_silent(desk)
    broker_silent(desk)
    page = open_page(size=WALL)
    page.goto(console.wall())
    strip = page.locator(".wall__site")
    expect(strip).to_have_count(2)
    expect(strip.first).to_contain_text("消息代理中断")
    expect(strip.nth(1)).to_contain_text("网关失联")
    expect(strip.nth(1)).to_contain_text("敬老院二楼")
    expect(page.locator(".tile")).to_have_count(6)
    bottoms = page.evaluate("[...document.querySelectorAll('.tile')].map(e => e.getBoundingClientRect().bottom)")
    assert max(bottoms) <= WALL["height"]
    page.goto(console.wall("liuhe"))
    expect(page.locator(".wall__site")).to_have_count(1)
    expect(page.locator(".tile")).to_have_count(1)


def test_a_machine_that_nobody_attends_to_calls_nobody_to_120(
    console: Console, desk: Desk, open_page: OpenPage
) -> None:
    gateway_silent(desk)
    desk.connection.execute("UPDATE episode SET state = 'exhausted', step = 3")
    page = open_page(size=WALL, language="en-GB")
    page.goto(console.wall())
    expect(page.locator(".wall__site")).to_contain_text("nobody answers")
    assert page.locator(".wall__banner").count() == 0


def test_a_critical_value_of_an_unbound_device_names_device_and_gateway(
    console: Console, desk: Desk, open_page: OpenPage
) -> None:
    assert settle(desk, [Family.UNBOUND_LOW], [UNBOUND]) == 1
    page = open_page(language="en-GB")
    enter(page, console)
    card = page.locator(CARD)
    expect(card).to_contain_text("SpO2 critically low on a device bound to nobody")
    expect(card).to_contain_text(DEVICE)
    expect(card).to_contain_text("lowest 84")
    expect(card).to_contain_text("敬老院二楼")


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_the_phone_shows_it_without_scrolling_sideways(
    console: Console, desk: Desk, open_page: OpenPage, language: str
) -> None:
    episode_id = gateway_silent(desk)
    settle(desk, [Family.UNBOUND_LOW], [UNBOUND])
    broker_silent(desk)
    page = open_page(size=PHONE, language=language)
    enter(page, console, "chen-gang")
    expect(page.locator(CARD)).to_have_count(3)
    assert _overflow(page) <= 0
    page.goto(f"{console.url}/alarms/{episode_id}")
    expect(page.locator("h1")).to_be_visible()
    assert _overflow(page) <= 0


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
