"""Many technical faults of one cause have one alarm, and no physiological alarm is ever one of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerting.acts import acknowledge, decide
from alerting.silences import Target, Wish
from alerting.silencing import set_silence
from alerting.technical.storms import Cause, Member, Storm, Threshold, causes
from tests.alerting.scene import SPO2, Scene, heartbeat
from tests.alerting.streams import FALL_S

CRITICAL = 8400
T = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
THRESHOLD = Threshold(members_min=5, share_percent=20, within=timedelta(seconds=300))
COUNTY, TOWN, VILLAGE, OTHER = 1, 2, 3, 4


def members(count: int, *places: int, at_s: float = 0, first: int = 0, due: bool = True) -> list[Member]:
    return [
        Member(
            subject=f"gateway:{places[0]}-{n}",
            places=places,
            since=T + timedelta(seconds=at_s),
            medium=True,
            due=due,
        )
        for n in range(first, first + count)
    ]


def found(every: list[Member], opened: list[Storm] | None = None, **populations: int) -> list[Cause]:
    counted = {COUNTY: 40, TOWN: 20, VILLAGE: 10, OTHER: 20} | {int(k[1:]): n for k, n in populations.items()}
    return causes(every, opened or [], counted, THRESHOLD)


def opened_at(place: int, held: list[Member], *, episode_id: int = 1) -> Storm:
    sinces = [member.since for member in held]
    subjects = frozenset(member.subject for member in held)
    return Storm(episode_id=episode_id, place=place, members=subjects, begun=min(sinces), newest=max(sinces))


@pytest.mark.parametrize(
    ("count", "population", "is_storm"),
    [(5, 20, True), (4, 20, False), (5, 25, True), (5, 26, False), (20, 100, True), (19, 100, False)],
)
def test_it_takes_so_many_and_so_large_a_share(count: int, population: int, is_storm: bool) -> None:
    assert bool(found(members(count, TOWN), p2=population)) is is_storm


def test_what_began_longer_apart_is_not_one_cause() -> None:
    assert found([*members(3, TOWN), *members(3, TOWN, at_s=301, first=3)]) == []
    (cause,) = found([*members(3, TOWN), *members(3, TOWN, at_s=300, first=3)])
    assert len(cause.members) == 6


def test_what_is_only_late_counts_beside_what_is_due_and_not_alone() -> None:
    assert found(members(6, TOWN, due=False)) == []
    (cause,) = found([*members(5, TOWN, due=False), *members(1, TOWN, first=5)])
    assert len(cause.members) == 6


def test_it_stands_at_the_lowest_place_that_is_struck() -> None:
    (cause,) = found(members(6, VILLAGE, TOWN, COUNTY))
    assert cause.place == VILLAGE


def test_two_places_struck_at_once_are_the_higher_ones() -> None:
    (cause,) = found([*members(6, TOWN, COUNTY), *members(6, OTHER, COUNTY, at_s=120)])
    assert (cause.place, len(cause.members)) == (COUNTY, 12)


def test_two_places_struck_at_different_times_are_two_causes() -> None:
    both = found([*members(6, TOWN, COUNTY), *members(6, OTHER, COUNTY, at_s=3600)])
    assert [(cause.place, len(cause.members)) for cause in both] == [(TOWN, 6), (OTHER, 6)]


def test_small_places_below_one_are_one_cause_of_that() -> None:
    small = [member for place in (11, 12, 13) for member in members(3, place, TOWN, COUNTY)]
    (cause,) = found(small)
    assert (cause.place, len(cause.members)) == (TOWN, 9)


def test_an_open_cause_keeps_what_it_holds_though_that_is_few_and_is_over_with_the_last() -> None:
    held = members(6, TOWN)
    storm = opened_at(TOWN, held)
    (cause,) = found(held[:1], [storm])
    assert (cause.of, len(cause.members), cause.anew) == (1, 1, False)
    assert found([], [storm]) == []


def test_it_takes_what_began_about_when_it_did_and_leaves_what_did_not() -> None:
    held = members(6, TOWN)
    (cause,) = found(
        [*held, *members(1, TOWN, at_s=200, first=6), *members(1, TOWN, at_s=9000, first=7)], [opened_at(TOWN, held)]
    )
    assert len(cause.members) == 7


def test_another_blow_to_the_same_place_alarms_anew() -> None:
    held = members(6, TOWN)
    (cause,) = found([*held[:1], *members(6, TOWN, at_s=9000, first=6)], [opened_at(TOWN, held)])
    assert (cause.of, len(cause.members), cause.anew) == (1, 7, True)


def test_the_higher_place_absorbs_the_cause_that_was_open_below_it() -> None:
    held = members(6, TOWN, COUNTY)
    (cause,) = found([*held, *members(6, OTHER, COUNTY, at_s=60)], [opened_at(TOWN, held, episode_id=7)])
    assert (cause.place, cause.absorbs, cause.of) == (COUNTY, (7,), None)


def test_every_fault_is_in_one_cause_at_most() -> None:
    every = [
        *members(6, VILLAGE, TOWN, COUNTY),
        *members(9, TOWN, COUNTY, at_s=90),
        *members(7, OTHER, COUNTY, at_s=180),
    ]
    held = [member.subject for cause in found(every) for member in cause.members]
    assert len(held) == len(set(held)) == 22


# ---- over the database ----------------------------------------------------------------------------------------------

HOMES = [f"home-{n}" for n in range(1, 9)]


@pytest.fixture
def scene(database: str) -> Iterator[Scene]:
    """The ward, and a village of eight homes, each with its gateway."""
    with Scene(database) as made:
        made.connection.execute(
            "INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id) VALUES"
            " (3, 'village', '村', 'Village', 'village_room', 2)"
        )
        for name in HOMES:
            made.connection.execute(
                "INSERT INTO gateway (gateway_id, organisation_id, place) VALUES (%s, 3, '')", [name]
            )
            made.beating[name] = heartbeat()
        made.connection.execute("UPDATE registry_version SET version = version + 1")
        made.run(60)
        yield made


def cut(scene: Scene, *names: str) -> None:
    for name in names:
        scene.dies(name)


def storm(scene: Scene) -> Any:
    (episode,) = [e for e in scene.episodes() if e.family == "storm"]
    return episode


def paged(scene: Scene) -> int:
    return len(scene.connection.execute("SELECT FROM notice WHERE audience = 'operations'").fetchall())


def test_a_power_cut_of_a_village_is_one_alarm_that_lists_its_gateways(scene: Scene) -> None:
    cut(scene, *HOMES)
    scene.run(240)
    assert scene.open_rules() == ["TECH-STORM-MEDIUM"]
    episode = storm(scene)
    assert (episode.subject, episode.organisation_id, episode.priority) == ("storm:gateway:3", 3, "medium")
    assert (episode.evidence["members_now"], paged(scene)) == (8, 1)
    rows = scene.connection.execute("SELECT subject FROM storm_member WHERE left_at IS NULL").fetchall()
    assert {row.subject for row in rows} == {f"gateway:{name}" for name in HOMES}


def test_the_notice_says_how_many_and_of_what(scene: Scene) -> None:
    cut(scene, *HOMES)
    scene.run(240)
    (notice,) = scene.connection.execute("SELECT title, body FROM notice WHERE audience = 'operations'").fetchall()
    assert "gateways silent" in notice.title
    assert "网关失联共8个" in notice.body
    assert "8 gateways silent, most likely by one cause" in notice.body


def test_four_gateways_alarm_for_themselves(scene: Scene) -> None:
    cut(scene, *HOMES[:4])
    scene.run(240)
    assert scene.open_rules() == ["TECH-GATEWAY"] * 4


def test_it_shrinks_and_ends_with_its_last_member(scene: Scene) -> None:
    cut(scene, *HOMES)
    scene.run(240)
    for name in HOMES[:7]:
        scene.returns(name)
    scene.run(60)
    assert storm(scene).state != "closed"
    assert storm(scene).evidence["members_now"] == 1
    assert scene.open_rules() == ["TECH-STORM-MEDIUM"]
    scene.returns(HOMES[7])
    scene.run(60)
    assert storm(scene).state == "closed"
    left = scene.connection.execute("SELECT FROM storm_member WHERE left_at IS NULL").fetchall()
    assert (len(left), scene.open_rules()) == (0, [])


def test_it_grows_without_paging_and_alarms_anew_at_twice_as_many(scene: Scene) -> None:
    more = [f"home-{n}" for n in range(9, 17)]
    for name in more:
        scene.connection.execute("INSERT INTO gateway (gateway_id, organisation_id, place) VALUES (%s, 3, '')", [name])
        scene.beating[name] = heartbeat()
    scene.connection.execute("UPDATE registry_version SET version = version + 1")
    scene.run(60)
    cut(scene, *HOMES[:6])
    scene.run(200)
    assert (storm(scene).evidence["alarmed_of"], paged(scene)) == (6, 1)
    acknowledge(scene.connection, episode_id=storm(scene).episode_id, person_id=4, channel="test", now=scene.now)
    cut(scene, *HOMES[6:], *more[:2])
    scene.run(240)
    assert (storm(scene).evidence["members_now"], storm(scene).state, paged(scene)) == (10, "ack", 1)
    cut(scene, *more[2:5])
    scene.run(240)
    assert (storm(scene).evidence["alarmed_of"], storm(scene).state) == (13, "unack")
    assert paged(scene) == 2


def close_storm(scene: Scene) -> None:
    act: dict[str, Any] = {"episode_id": storm(scene).episode_id, "person_id": 4, "channel": "test", "now": scene.now}
    acknowledge(scene.connection, **act)
    decide(scene.connection, disposition="close", note="", **act)


def test_closed_by_a_person_while_it_goes_on_its_members_alarm_for_themselves(scene: Scene) -> None:
    cut(scene, *HOMES)
    scene.run(240)
    close_storm(scene)
    scene.run(10)
    assert scene.open_rules() == ["TECH-GATEWAY"] * 8


def test_alarms_from_before_the_cause_was_known_are_closed_into_it_and_come_again_if_it_is_closed(scene: Scene) -> None:
    cut(scene, *HOMES[:3])
    scene.run(200)
    assert scene.open_rules() == ["TECH-GATEWAY"] * 3
    cut(scene, *HOMES[3:])
    scene.run(240)
    assert scene.open_rules() == ["TECH-STORM-MEDIUM"]
    covered = scene.connection.execute("SELECT detail FROM episode_event WHERE kind = 'covered'").fetchall()
    assert [row.detail for row in covered] == [{"by": "storm", "subject": "storm:gateway:3"}] * 3
    close_storm(scene)
    scene.run(10)
    assert scene.open_rules() == ["TECH-GATEWAY"] * 8


def test_devices_of_gateways_that_are_held_are_explained_by_the_common_cause(scene: Scene) -> None:
    scene.connection.execute("UPDATE gateway SET organisation_id = 3 WHERE gateway_id IN ('gw-1', 'gw-2')")
    cut(scene, *HOMES, "gw-1", "gw-2")
    scene.run(280)
    assert scene.open_rules() == ["TECH-STORM-MEDIUM"]
    assert {each["patient_id"] for each in storm(scene).evidence["covers"]} == {1, 2, 4}


def test_a_patient_who_is_watched_alarms_beside_the_common_cause(scene: Scene) -> None:
    scene.connection.execute("UPDATE patient SET service_tier = 3 WHERE patient_id = 4")
    scene.connection.execute("UPDATE gateway SET organisation_id = 3 WHERE gateway_id IN ('gw-1', 'gw-2')")
    cut(scene, *HOMES, "gw-1", "gw-2")
    scene.run(320)
    assert scene.open_rules() == ["TECH-NODATA-LONG", "TECH-STORM-MEDIUM"]


def test_a_storm_changes_nothing_for_a_physiological_alarm(database: str) -> None:
    """The same fall, with and without a village's power cut beside it: the same raise, pages and deadlines."""
    told = []
    for struck in (False, True):
        with Scene(f"{database}") as scene:
            for name in HOMES:
                scene.connection.execute("INSERT INTO gateway (gateway_id, organisation_id) VALUES (%s, 2)", [name])
                scene.beating[name] = heartbeat()
            scene.connection.execute("UPDATE registry_version SET version = version + 1")
            scene.run(60)
            if struck:
                cut(scene, *HOMES)
                scene.run(240)
                assert "TECH-STORM-MEDIUM" in scene.open_rules()
            else:
                scene.run(240)
            fall(scene, 1, 4)
            at = scene.now
            scene.run(365)
            falls = [e for e in scene.episodes() if not e.technical]
            ids = [e.episode_id for e in falls]
            notices = scene.connection.execute(
                "SELECT recipient, audience, step, title, due_at IS NULL AS sent, created_at FROM notice"
                " WHERE episode_id = ANY(%s) ORDER BY notice_id", [ids],
            ).fetchall()  # fmt: skip
            told.append(
                (
                    [(e.patient_id, e.rule, e.priority, e.emergency, e.state, e.step) for e in falls],
                    [
                        (n.recipient, n.audience, n.step, n.title, n.sent, (n.created_at - at).total_seconds())
                        for n in notices
                    ],
                )
            )
            empty(scene)
    assert told[0] == told[1]
    assert [fall[0] for fall in told[0][0]] == [1, 4]
    assert {who for who, *_ in told[0][1]} == {"李医生", "b1", "b4", "值班", "王主任"}


def fall(scene: Scene, *patients: int) -> None:
    """Let these patients' SpO2 fall, while everything else goes on."""
    for patient in patients:
        scene.streaming.pop(patient)
        scene.spo2(patient, [CRITICAL] * FALL_S, begin=scene.now, judged=False)
    scene.run(FALL_S)
    while scene.judge.catch_up(scene.desk):
        pass


def empty(scene: Scene) -> None:
    """Take everything out again, so that the same county can be filled anew."""
    tables = scene.connection.execute(
        "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN"
        " ('schema_migration', 'engine_cursor', 'partition', 'registry_version')"
    ).fetchall()
    scene.connection.execute(f"TRUNCATE {', '.join(row.name for row in tables)} RESTART IDENTITY CASCADE".encode())
    scene.connection.execute("UPDATE engine_cursor SET batch_id = 0, owner = '', leased_until = NULL")
    scene.connection.execute("UPDATE partition SET head = 0")


def test_high_alarms_of_one_site_are_never_one_alarm(scene: Scene) -> None:
    fall(scene, 1, 2, 4)
    assert [(e.patient_id, e.priority) for e in scene.episodes()] == [(1, "high"), (2, "high"), (4, "high")]


def test_a_silence_of_the_place_holds_back_its_one_alarm(scene: Scene) -> None:
    scene.connection.execute(
        "INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES"
        " (5, 'ma', '马红', 'Ma Hong', 1, 'coordinator', 2)"
    )
    until = scene.now + timedelta(minutes=6)
    wish = Wish(target=Target.ORGANISATION, name="village", rule="", until=until, reason="planned power cut")
    set_silence(scene.connection, wish, person_id=5, now=scene.now)
    cut(scene, *HOMES)
    scene.run(300)
    assert (scene.open_rules(), paged(scene)) == (["TECH-STORM-MEDIUM"], 0)
    scene.run(60)
    assert (scene.open_rules(), paged(scene)) == (["TECH-STORM-MEDIUM"], 1)


def test_clocks_that_all_go_wrong_are_one_alarm_of_low_priority(scene: Scene) -> None:
    for name in HOMES:
        scene.beating[name] = heartbeat(clock={"synchronised": False})
    scene.run(70)
    assert scene.open_rules() == ["TECH-STORM"]
    assert (storm(scene).subject, storm(scene).priority) == ("storm:clock:3", "low")


MODEL = """
INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id, risk_colour,
                     service_tier)
     SELECT n, 'p' || n, 'P' || n, 'P' || n, 'b' || n, '1950-01-01', 'female', 2, 1, 'yellow', 2
       FROM generate_series(11, 18) n;
INSERT INTO device (device_id, key, kind, expected_every_s)
     SELECT 100 + n, 'C0:00:00:00:01:' || n, 'oximeter', 1 FROM generate_series(11, 18) n;
INSERT INTO binding (device_id, patient_id, valid, entered_at)
     SELECT 100 + n, n, '[2020-01-01 00:00+00,)', '2020-01-01' FROM generate_series(11, 18) n;
INSERT INTO claim (gateway_id, device_id, driver, claimed_at)
     SELECT 'gw-3', 100 + n, CASE WHEN n < 18 THEN 'jumper' ELSE 'other' END, '2020-01-01'
       FROM generate_series(11, 18) n;
UPDATE registry_version SET version = version + 1;
"""


def speak(scene: Scene) -> None:
    for n in range(11, 19):
        scene.reading(f"C0:00:00:00:01:{n}", SPO2, 9700, gateway_id="gw-3")


def test_devices_of_one_model_that_fail_everywhere_are_one_alarm(scene: Scene) -> None:
    scene.connection.execute(MODEL)
    speak(scene)
    scene.connection.execute("UPDATE patient SET service_tier = 3 WHERE patient_id = 11")
    scene.run(720)
    assert scene.open_rules() == ["TECH-NODATA-LONG", "TECH-NODATA-LONG", "TECH-STORM-MEDIUM"]
    assert (storm(scene).subject, storm(scene).evidence["model"]) == ("storm:no_data:1:jumper", "jumper")
    alone = [e.patient_id for e in scene.technical("TECH-NODATA-LONG") if e.state != "closed"]
    assert alone == [11, 18]  # who is watched, and who has another model
    speak(scene)
    scene.run(5)
    assert storm(scene).state == "closed"


def test_many_overdue_measurements_are_one_alarm_and_every_household_is_asked(scene: Scene) -> None:
    scene.connection.execute(
        "INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id,"
        " risk_colour, service_tier, household_channels)"
        " SELECT n, 'p' || n, 'P' || n, 'P' || n, 'b' || n, '1950-01-01', 'female', 3, 1, 'yellow', 2,"
        " '{json://localhost:1/home}' FROM generate_series(101, 125) n"
    )
    scene.connection.execute(
        "INSERT INTO device (device_id, key, kind)"
        " SELECT n, 'C0:00:00:00:02:' || n, 'oximeter' FROM generate_series(101, 125) n"
    )
    scene.connection.execute(
        "INSERT INTO binding (device_id, patient_id, valid)"
        " SELECT n, n, '[2020-01-01 00:00+00,)' FROM generate_series(101, 125) n"
    )
    scene.connection.execute("UPDATE registry_version SET version = version + 1")
    scene.later(hours=13)  # morning in Shanghai
    for n in range(101, 126):
        scene.reading(f"C0:00:00:00:02:{n}", SPO2, 9700, gateway_id="gw-3", acquisition=1)
    scene.later(hours=9, minutes=1)
    assert [e.rule for e in scene.technical("TECH-STORM", "TECH-SPOT-OVERDUE")] == ["TECH-STORM"]
    assert storm(scene).subject == "storm:spot_overdue:3"
    asked = scene.connection.execute("SELECT DISTINCT patient_id FROM notice WHERE patient_id IS NOT NULL").fetchall()
    assert len(asked) == 25
