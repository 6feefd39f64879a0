"""The wall: only by its link, initials only, worst first, no stale number, loud when it has lost the server."""

from datetime import UTC, datetime, timedelta

import httpx
import psycopg
from playwright.sync_api import expect
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier
from typer.testing import CliRunner

from dashboards.commands import app
from dashboards.wall.link import is_wall_token, wall_token
from dashboards.wall.pages import columns_for
from tests.dashboards import county
from tests.dashboards.conftest import SECRET, WALL, Console, OpenPage


def test_the_worst_stands_first_by_initials_and_bed_alone(console: Console, open_page: OpenPage) -> None:
    with console.rows() as db:
        county.raise_all(db)
    page = open_page(size=WALL)
    page.goto(console.wall())
    tiles = page.locator(".tile")
    expect(page.locator(".tile__who")).to_have_text(["W.X.Y.", "Z.G.Q.", "S.L.H.", "Z.D.M.", "W.G.F.", "Z.H.T."])
    expect(tiles.first).to_contain_text("紧急")
    expect(tiles.first).to_contain_text("血氧极低")
    expect(tiles.first).to_contain_text("家庭医生（二级）")
    expect(tiles.first.locator(".countdown")).to_be_visible()
    assert not any(patient[2] in page.content() for patient in county.PATIENTS)
    squeezed = page.evaluate(
        "[...document.querySelectorAll('.tile > *, .tile__rule')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " || (e.scrollHeight > e.clientHeight + 1 && !e.matches('.tile__rule'))).map(e => e.className)"
    )
    assert squeezed == []


def test_a_stale_tile_shows_since_when_and_no_number(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=WALL)
    page.goto(console.wall())
    stale = page.locator("#tile-4")
    expect(stale.locator(".vital__since").first).to_contain_text("起无数据")
    assert stale.locator(".vital__number").count() == 0
    assert "96" not in stale.inner_text()


def test_no_tick_stands_where_data_is_missing(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=WALL)
    page.goto(console.wall())
    expect(page.locator("#tile-6")).to_contain_text("无预警")
    for tile in ("#tile-4", "#tile-5"):
        expect(page.locator(tile)).to_contain_text("数据不全")
        expect(page.locator(f"{tile} .shape__tick")).to_have_count(0)


def test_a_tile_goes_stale_by_itself(console: Console, open_page: OpenPage) -> None:
    with console.rows() as db:
        county.put_latest(db, 6, 1, 9800, datetime.now(UTC) - timedelta(seconds=27))
    page = open_page(size=WALL)
    page.goto(console.wall())
    vital = page.locator("#tile-6 .vital--spo2")
    expect(vital).to_contain_text("98")
    expect(vital.locator(".vital__since")).to_be_visible()
    assert "98" not in vital.inner_text()
    expect(page.locator("#tile-6")).to_contain_text("数据不全")


def test_an_episode_appears_without_a_reload(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=WALL)
    page.goto(console.wall())
    expect(page.locator("#tile-6")).to_contain_text("无预警")
    with console.rows() as db:
        county.add_alarm(db, county.CRITICAL, datetime.now(UTC))
        county.notify(db)
    expect(page.locator(".tile").first).to_contain_text("血氧极低")


def test_a_lost_server_fills_the_screen_and_goes_when_it_is_back(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=WALL)
    page.goto(console.wall())
    expect(page.locator("#lost")).to_be_hidden()
    console.stop()
    expect(page.locator("#lost")).to_be_visible()
    expect(page.locator("#lost")).to_contain_text("本屏已与服务器失去联系")
    box = page.locator("#lost").bounding_box()
    assert box == {"x": 0, "y": 0, **WALL}
    console.start()
    expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator(".tile")).to_have_count(6)


def test_a_lost_database_is_a_lost_server_to_those_in_front(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=WALL)
    page.goto(console.wall())
    expect(page.locator(".tile")).to_have_count(6)
    name = conninfo_to_dict(console.dsn)["dbname"]
    with psycopg.connect(console.dsn, dbname="postgres", autocommit=True) as db:
        db.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(str(name))))
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        expect(page.locator("#lost")).to_be_visible()
        assert httpx.get(console.url + "/ready").status_code == 503
        assert httpx.get(console.url + "/healthz").status_code == 200
        db.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(Identifier(str(name))))
    expect(page.locator("#lost")).to_be_hidden()


def test_nobody_answers_is_a_banner(console: Console, open_page: OpenPage) -> None:
    with console.rows() as db:
        county.add_alarm(db, county.CRITICAL, datetime.now(UTC))
        db.execute("UPDATE episode SET state = 'exhausted', step = 3")
    page = open_page(size=WALL, language="en-GB")
    page.goto(console.wall())
    expect(page.locator(".wall__banner")).to_contain_text("phone the household or 120 now")


def test_a_centre_shows_its_own_and_those_below(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=WALL)
    page.goto(console.wall("qingshi-home"))
    expect(page.locator(".tile__who")).to_have_text(["Z.G.Q.", "Z.D.M.", "W.G.F.", "W.X.Y."])
    page.goto(console.wall("liuhe"))
    expect(page.locator(".tile__who")).to_have_text(["H.Q.Y."])


def test_a_link_opens_its_own_wall_only(console: Console) -> None:
    token = wall_token(SECRET.encode(), "liuhe")
    with httpx.Client(base_url=console.url) as client:
        assert client.get("/wall/liuhe", params={"token": token}).status_code == 200
        for path in ("/wall/qingshi", "/wall/qingshi/tiles", "/wall/qingshi/stream", "/wall/nowhere"):
            assert client.get(path, params={"token": token}).status_code == 403
        assert client.get("/wall/liuhe").status_code == 403
        assert client.get("/", params={"token": token}).status_code == 303


def test_the_command_prints_the_link_the_console_takes() -> None:
    env = {"HEARTHWATCH_CONSOLE_SECRET": SECRET}
    said = CliRunner().invoke(app, ["wall-link", "qingshi"], env=env)
    path, _, token = said.output.strip().partition("?token=")
    assert path == "/wall/qingshi"
    assert is_wall_token(SECRET.encode(), "qingshi", token)
    without = CliRunner().invoke(app, ["wall-link", "qingshi"], env={"HEARTHWATCH_CONSOLE_SECRET": ""})
    assert without.exit_code == 2
    wrong = CliRunner().invoke(app, ["wall-link", "qingshi"], env={"HEARTHWATCH_CONSOLE_PORT": "x"})
    said = "hearthwatch console: HEARTHWATCH_CONSOLE_PORT: 'x' is not a whole number\n"
    assert (wrong.exit_code, wrong.output) == (1, said)


def test_tiles_are_as_big_as_their_number_allows() -> None:
    assert [columns_for(count) for count in (1, 4, 5, 9, 10, 16, 17, 25, 26, 30)] == [2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
