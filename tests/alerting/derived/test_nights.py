"""A patient's night: by the local clock, from the stored samples, on the command line."""

import json
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from alerting.commands import app
from alerting.derived.local_nights import last_nights, newest_night, night_of
from alerting.derived.nights import PICTURE_STEPS, read_night
from alerting.desk import Connection
from tests.alerting.ward import Ward

EVENING = date(2026, 2, 28)
ZONE = "Asia/Shanghai"


def sleep(
    connection: Connection, *, device_id: int = 11, hours: float = 8, fall_to: int = 9100, good: bool = True
) -> None:
    """Store a night from 22:00, once a second at 96 %, each quarter of an hour with a fall of 20 s."""
    begins = datetime(2026, 2, 28, 22, tzinfo=ZoneInfo(ZONE))
    connection.execute("SELECT sample_make_room(%s)", [[begins.date(), begins.date() + timedelta(days=1)]])
    quality = None if good else bytes([2 * 64 + 11] + [255] * 12)
    connection.execute(
        "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2, quality)"
        " SELECT t, t, 1, %(device)s, 0, CASE WHEN s %% 900 BETWEEN 300 AND 319 THEN %(low)s ELSE 9600 END, %(quality)s"
        "   FROM (SELECT s, %(begins)s::timestamptz + s * INTERVAL '1 s' AS t FROM generate_series(0, %(until)s) s) x",
        {
            "device": device_id, "low": fall_to, "quality": quality, "begins": begins,
            "until": round(hours * 3600) - 1,
        },
    )  # fmt: skip


def test_a_night_is_the_local_clocks() -> None:
    there = night_of(EVENING, ZONE)
    assert (there.begins_at.isoformat(), there.ends_at.isoformat()) == (
        "2026-02-28T21:00:00+08:00",
        "2026-03-01T09:00:00+08:00",
    )


@pytest.mark.parametrize(("evening", "hours"), [("2026-03-28", 11), ("2026-10-24", 13), ("2026-06-01", 12)])
def test_a_night_in_which_clocks_are_turned_is_an_hour_shorter_or_longer(evening: str, hours: int) -> None:
    night = night_of(date.fromisoformat(evening), "Europe/London")
    assert night.ends_at.timestamp() - night.begins_at.timestamp() == hours * 3600


@pytest.mark.parametrize(("hour", "newest"), [(21, "2026-03-02"), (20, "2026-03-01"), (0, "2026-03-01")])
def test_the_newest_night_is_the_one_that_has_begun(hour: int, newest: str) -> None:
    now = datetime(2026, 3, 2, hour, tzinfo=ZoneInfo(ZONE))
    assert newest_night(now, ZONE).date == date.fromisoformat(newest)
    days = [night.date for night in last_nights(now, ZONE, 3)]
    assert days == [newest_night(now, ZONE).date - timedelta(days=n) for n in range(3)]


def test_a_stored_night_is_reported_from_its_good_samples(ward: Ward) -> None:
    sleep(ward.connection)
    sleep(ward.connection, device_id=12, hours=4.2, fall_to=7000)
    sleep(ward.connection, device_id=13, fall_to=8000, good=False)
    found = read_night(ward.connection, 1, night_of(EVENING, ZONE))
    assert found.device == "C0:00:00:00:00:01"
    assert found.report.valid_hours == pytest.approx(8)
    assert found.report.found is not None
    assert found.report.found.odi == (4.0, 4.0)
    assert found.report.found.lowest == 9100
    assert len(found.picture) == PICTURE_STEPS
    assert found.picture[:8] == [None] * 8
    assert found.picture[8:12] == [9100, 9600, 9100, 9600]


def test_a_medical_device_goes_before_a_wearable(ward: Ward) -> None:
    sleep(ward.connection)
    sleep(ward.connection, device_id=12, hours=5, fall_to=8800)
    ward.connection.execute("UPDATE device SET wellness = true WHERE device_id = 11")
    assert read_night(ward.connection, 1, night_of(EVENING, ZONE)).device == "C0:00:00:00:00:02"


def test_a_night_without_a_sample_is_not_available(ward: Ward) -> None:
    found = read_night(ward.connection, 1, night_of(EVENING, ZONE))
    assert (found.device, found.report.found) == ("", None)
    assert set(found.picture) == {None}


def ask(ward: Ward, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        app, ["night", *arguments], env={"HEARTHWATCH_DATABASE_DSN": ward.dsn, "COLUMNS": "120"}
    )
    return result.exit_code, result.output


def test_the_command_prints_a_night(ward: Ward) -> None:
    sleep(ward.connection)
    code, said = ask(ward, "--patient", "p1", "--date", "2026-02-28")
    assert code == 0
    for text in (
        "ODI3, ODI4",
        "4.0, 4.0 an hour",
        "below 93 %",
        "10.7 min, the longest 20 s",
        "91 %, steady 91 %",
        "▇▆▇▆",
    ):
        assert text in said


def test_the_command_says_it_in_json(ward: Ward) -> None:
    sleep(ward.connection, fall_to=8700)
    code, said = ask(ward, "--patient", "p1", "--date", "2026-02-28", "--json")
    told = json.loads(said)
    assert code == 0
    assert (told["available"], told["odi3"], told["minutes_below_88"], told["longest_below_88_s"]) == (
        True,
        4.0,
        10.7,
        20,
    )
    assert (told["lowest"], told["gaps"], told["valid_hours"]) == (87.0, 0, 8.0)


def test_too_short_a_night_is_said_to_be_not_available(ward: Ward) -> None:
    sleep(ward.connection, hours=3.9)
    code, said = ask(ward, "--patient", "p1", "--date", "2026-02-28")
    assert code == 0
    assert "not available: less than 4 h of valid recording" in said
    assert "ODI" not in said
    assert "odi3" not in json.loads(ask(ward, "--patient", "p1", "--date", "2026-02-28", "--json")[1])


def test_an_unknown_patient_is_named(ward: Ward) -> None:
    assert ask(ward, "--patient", "nobody") == (2, "alerting: no patient has the key 'nobody'\n")
