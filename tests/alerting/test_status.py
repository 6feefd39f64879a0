"""Who is away or in hospital: the silence of the devices alarms nobody, a low value alarms as ever (hazard 31)."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from care import keeping
from care.status import Change, Status
from tests.alerting.scene import Scene, after, within_10_s
from tests.alerting.streams import FALL_S

CRITICAL = 8400


@pytest.fixture
def scene(database: str) -> Iterator[Scene]:
    """A ward whose first doctor keeps the registry."""
    with Scene(database) as made:
        made.connection.execute("UPDATE person SET role = 'admin' WHERE person_id = 1")
        yield made


def say(scene: Scene, to: Status, **more: object) -> None:
    with psycopg.connect(scene.connection.info.dsn, autocommit=True) as connection:
        key = connection.execute("SELECT key FROM patient WHERE patient_id = 1").fetchone()[0]  # type: ignore[index]
        change = Change(to=to, at=scene.now, reason="电话告知", **more)  # type: ignore[arg-type]
        keeping.change_status(connection, key, change, person_id=1, now=scene.now)


def test_silence_of_who_is_not_at_home_alarms_nobody_until_he_is_back(scene: Scene) -> None:
    say(scene, Status.ADMITTED, place="县医院")
    scene.streaming.pop(1)
    scene.run(140)
    assert scene.open_rules() == []
    back_at = scene.now
    say(scene, Status.ACTIVE)
    scene.run(130)
    (alarm,) = scene.technical("TECH-NODATA")
    assert alarm.patient_id == 1
    assert within_10_s([after(alarm, back_at, limit_s=120)])
    say(scene, Status.AWAY)
    scene.run(10)
    assert scene.open_rules() == []


def test_who_is_away_for_a_time_is_expected_from_its_end(scene: Scene) -> None:
    back_at = scene.now + timedelta(seconds=30)
    say(scene, Status.AWAY, until=back_at)
    scene.streaming.pop(1)
    scene.run(160)
    (alarm,) = scene.technical("TECH-NODATA")
    assert within_10_s([after(alarm, back_at, limit_s=120)])


@pytest.mark.parametrize("to", [Status.AWAY, Status.ADMITTED, Status.DISCHARGED])
def test_a_low_value_of_who_is_not_at_home_alarms_as_ever(scene: Scene, to: Status) -> None:
    say(scene, to, place="县医院" if to is Status.ADMITTED else "")
    scene.streaming.pop(1)
    scene.spo2(1, [CRITICAL] * FALL_S)
    scene.look()
    assert [e.priority for e in scene.episodes() if not e.technical and e.patient_id == 1] == ["high"]
