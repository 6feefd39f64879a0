"""What a changed profile would have paged: held against arithmetic, and against what the service itself paged."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerting.acts import acknowledge, decide
from alerting.commands import app
from alerting.course.sessions import Clips
from alerting.desk import unix_ms
from alerting.engine.partition import fastest
from alerting.episodes import State
from alerting.profile.changing import changeable
from alerting.profile.changing import changed as changed_in_text
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.lines import line_of
from alerting.profile.tables import ProfileError
from alerting.rehearsal.difference import Decided, Decision, Recorded, difference
from alerting.rehearsal.lived import Lived
from alerting.rehearsal.paged import Page, Raising, pages_of
from alerting.rehearsal.panel import Asked, rehearse_panel
from alerting.rehearsal.progress import Progress, progress_of
from alerting.rehearsal.reading import connect_to_read, read_devices, read_samples, read_subject
from alerting.rehearsal.spans import spans_of
from alerting.spot.sessions import ClipSample, form_sessions
from tests.alerting.courses import T0_MS
from tests.alerting.streams import profile
from tests.alerting.ward import T0, Ward
from vitals.signals import Signal

pytestmark = pytest.mark.long


def changed(rule: str, **numbers: object) -> str:
    """Give the shipped profile's text with numbers of one sustained rule changed."""
    head, mark, rest = standard_adult().partition(f"[sustained.{rule}]\n")
    table, source, after = rest.partition(f"[sustained.{rule}.source]")
    lines = table.split("\n")
    for key, value in numbers.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in lines]
    return head + mark + "\n".join(lines) + source + after


def rehearsed(ward: Ward, new: str, *, patients: tuple[int, ...] = (1,), days: int = 1) -> dict[str, Any]:
    asked = Asked(
        begins_at=ward.now - timedelta(days=days), ends_at=ward.now, standing=profile(), new=parse_profile(new)
    )
    with connect_to_read(ward.dsn) as connection:
        return rehearse_panel(connection, patients, asked, lambda _: None).document(seconds=1.0)


def breathe(ward: Ward, patient: int, *spells: tuple[int, int]) -> None:
    """Store SpO2 (percent, seconds) one a second."""
    for level, length_s in spells:
        ward.spo2(patient, [level * 100] * length_s, judged=False)


# ---- what two profiles page of known falls ----------------------------------------------------------------------


SHORT_S, LONG_S = 780, 780 + 400 + 1520
"""When the short fall (400 s) and the long one (900 s) begin: both at the beginning of a bucket of 20 s and of 60 s."""


def two_falls(ward: Ward, patient: int = 1) -> None:
    breathe(ward, patient, (97, SHORT_S), (91, 400), (97, 1520), (91, 900), (97, 1500))


def test_a_longer_window_misses_the_short_fall_and_pages_the_long_one_later(ward: Ward) -> None:
    two_falls(ward)
    new = changed("SPO2-REFER", window_s=600)
    document = rehearsed(ward, new)
    # x s after a fall began, x + 1 samples are low. Of a window of 300 s, 15 buckets of 20 s and the present one, there
    # are 301 + x % 20 samples: 80 % of them are low first at x = 240 (241 of 301; at x = 239 it is 240 of 320). Of one
    # of 600 s in buckets of 60 s: first at x = 480 (481 of 601). So 400 s are enough for the first alone.
    pages = document["pages"]
    assert (pages["standing"]["pages"], pages["new"]["pages"]) == (2, 1)
    assert pages["standing"]["delay_s"] == {"median": 240.0, "p95": 240.0}
    assert pages["new"]["delay_s"] == {"median": 480.0, "p95": 480.0}
    (missed,) = document["missed"]
    assert missed["at"] == (T0 + timedelta(seconds=SHORT_S + 240)).isoformat()
    assert (missed["rule"], missed["priority"], missed["decided"]) == ("SPO2-REFER", "high", "undecided")
    assert document["missed_count"] == {"all": 1, "real": 0, "false_alarm": 0, "undecided": 1}
    assert (document["newly"], document["quieter"]) == ([], [])
    change = document["delay_change"]
    assert {key: change[key] for key in ("spells", "earlier", "later", "median_s")} == {
        "spells": 1, "earlier": 0, "later": 1, "median_s": 240.0,
    }  # fmt: skip
    # The 400 s are 40 pieces of 10 s under the limit that nobody is paged for.
    refer = next(each for each in document["unpaged"] if each["rule"] == "SPO2-REFER")
    assert (refer["standing"]["minutes"], refer["new"]["minutes"]) == (0.0, 6.7)
    assert (refer["new"]["longest_patient"], refer["new"]["longest_minutes"]) == ("p1", 6.7)
    assert (document["patients"], document["patient_days"], document["stream_hours"]) == (1, 1, 1.4)
    assert pages["standing"]["per_patient_day"] == 2.0
    assert document["standing"]["hash"] == profile().profile_hash
    assert document["new"]["hash"] == parse_profile(new).profile_hash
    assert [mark["mark"] for mark in document["per_patient"][0]["marks"]] == ["missed", "both"]


def test_the_other_way_round_is_newly_paged_and_sooner(ward: Ward) -> None:
    two_falls(ward)
    asked = Asked(
        begins_at=ward.now - timedelta(days=1),
        ends_at=ward.now,
        standing=parse_profile(changed("SPO2-REFER", window_s=600)),
        new=profile(),
    )
    with connect_to_read(ward.dsn) as connection:
        document = rehearse_panel(connection, [1], asked, lambda _: None).document(seconds=1.0)
    assert document["missed"] == []
    assert [each["at"] for each in document["newly"]] == [(T0 + timedelta(seconds=SHORT_S + 240)).isoformat()]
    assert (document["delay_change"]["earlier"], document["delay_change"]["median_s"]) == (1, -240.0)


def test_the_same_profile_changes_nothing(ward: Ward) -> None:
    two_falls(ward)
    document = rehearsed(ward, standard_adult())
    assert document["pages"]["standing"] == document["pages"]["new"]
    assert (document["missed"], document["newly"], document["quieter"]) == ([], [], [])
    assert document["delay_change"]["same"] == document["delay_change"]["spells"] == 2


def test_what_began_before_the_asked_days_is_no_page_of_theirs(ward: Ward) -> None:
    breathe(ward, 1, (97, 600), (91, 600))
    ward.now += timedelta(hours=23, minutes=55)  # the days begin at 900 s: after the raise at 840 s, within the fall
    document = rehearsed(ward, changed("SPO2-REFER", window_s=280))
    assert document["pages"]["standing"]["pages"] == document["pages"]["new"]["pages"] == 0
    assert (document["missed"], document["newly"]) == ([], [])


def test_a_fall_over_midnight_where_he_lives_is_one(ward: Ward) -> None:
    ward.now = datetime(2026, 3, 1, 15, 50, tzinfo=UTC)  # ten minutes to midnight in Shanghai
    breathe(ward, 1, (97, 480), (91, 400), (97, 900))  # raised 240 s later, at midnight exactly
    document = rehearsed(ward, standard_adult())
    assert [each["at"] for each in document["per_patient"][0]["marks"]] == ["2026-03-01T16:02:00+00:00"]
    assert (document["pages"]["standing"]["night"], document["pages"]["standing"]["day"]) == (1, 0)


def test_what_only_a_milder_rule_pages_is_told_as_quieter(ward: Ward) -> None:
    breathe(ward, 1, (97, 1200), (91, 800), (97, 1500))
    document = rehearsed(ward, changed("SPO2-REFER", window_s=900, share_percent=100))
    # The new SPO2-REFER asks 900 s without a good breath; SPO2-AMBER (80 % of 900 s) pages at 720 s, of 800.
    assert (document["missed"], document["newly"]) == ([], [])
    assert [(each["rule"], each["priority"]) for each in document["quieter"]] == [("SPO2-REFER", "high")]
    assert document["pages"]["new"]["by_priority"] == {"emergency": 0, "high": 0, "medium": 1, "low": 0}
    assert document["delay_change"]["median_s"] == 720 - 240


# ---- what people had decided, and what the service itself did ----------------------------------------------------


def live(ward: Ward, patient: int, *spells: tuple[int | None, int]) -> None:
    """Let the service judge SpO2 as it comes, a minute at a time, with its sweep and its deadlines."""
    for level, length_s in spells:
        for minute in range(0, length_s, 60):
            begin, part = ward.now, min(60, length_s - minute)
            if level is not None:
                ward.spo2(patient, [level * 100] * part)
            ward.now = begin
            ward.pass_time(seconds=part)


def decide_newest(ward: Ward, disposition: str) -> int:
    episode: int = ward.connection.execute("SELECT max(episode_id) AS n FROM episode WHERE NOT technical").fetchone().n
    county = {"episode_id": episode, "person_id": 3, "channel": "console", "now": ward.now}
    acknowledge(ward.connection, **county)
    decide(ward.connection, disposition=disposition, note="seen", **county)
    return episode


def test_what_is_missed_stands_with_what_a_person_decided(ward: Ward) -> None:
    live(ward, 1, (97, SHORT_S), (91, 420))
    called_false = decide_newest(ward, "false_alarm")
    live(ward, 1, (97, 1500), (91, 420))
    kept = decide_newest(ward, "stay_home")
    live(ward, 1, (97, 900))
    document = rehearsed(ward, changed("SPO2-REFER", window_s=900, share_percent=100))
    assert document["missed_count"] == {"all": 2, "real": 1, "false_alarm": 1, "undecided": 0}
    assert [(each["decided"], each["episode"]) for each in document["missed"]] == [
        ("false_alarm", called_false),
        ("real", kept),
    ]
    assert document["recorded_pages"] == 2


COURSE: tuple[tuple[int | None, int], ...] = (
    (97, 300), (91, 420), (97, 60), (85, 40), (None, 400), (97, 900), (84, 120), (97, 900), (92, 600), (97, 900),
    (93, 1200),
)  # fmt: skip


def test_the_service_paged_the_same_where_nobody_answered(ward: Ward) -> None:
    live(ward, 1, *COURSE)
    rows = ward.connection.execute(
        "SELECT v.detail FROM episode_event v JOIN episode e USING (episode_id)"
        " WHERE v.kind IN ('raised', 'raised_anew') AND NOT e.technical ORDER BY v.event_id"
    ).fetchall()
    served = [(row.detail["rule"], _ms(row.detail["raised_at"]), _ms(row.detail["since"])) for row in rows]
    pages = lived(ward, 1, state=State.UNACK)
    assert [rule for rule, *_ in served] == [page.rule for page in pages]
    assert len({rule for rule, *_ in served}) > 1
    for (rule, *there), page in zip(served, pages, strict=True):
        # What is lost while low is raised by the sweep, which looks every 5 s, and counts from receiving: 1 s later.
        assert all(0 <= a - b <= 6000 for a, b in zip(there, [page.at_ms, page.since_ms], strict=True)), rule
    document = rehearsed(ward, standard_adult())
    assert document["recorded_pages"] == len(served)


def test_the_service_paged_the_same_of_single_measurements(ward: Ward) -> None:
    hours = [(96, 3880), (90, 3900), (84, 3910), (72, 3890), (60, 3870), (50, 3900), (40, 3920), (30, 3880), (22, 3900)]
    for ago, value in hours:  # each arrives as it is measured
        at = T0 + timedelta(hours=100 - ago)
        ward.now = at
        ward.temperatures(3, [(0, value)])
        ward.pass_time(seconds=5)
    ward.now = T0 + timedelta(hours=100)
    rows = ward.connection.execute(
        "SELECT v.detail FROM episode_event v JOIN episode e USING (episode_id)"
        " WHERE e.patient_id = 3 AND v.kind IN ('raised', 'raised_anew') AND NOT e.technical ORDER BY v.event_id"
    ).fetchall()
    served = [(row.detail["rule"], _ms(row.detail["raised_at"])) for row in rows]
    assert served
    assert served == [(page.rule, page.at_ms) for page in lived(ward, 3, state=State.UNACK, days=5)]


def test_the_service_paged_the_same_of_finger_clips(ward: Ward) -> None:
    # Repeated in time; well twice; critical and never repeated; well twice; low and never repeated.
    spots = [(0, 91), (5, 90), (60, 97), (120, 97), (180, 87), (240, 97), (300, 97), (360, 92)]
    for minute, level in spots:
        ward.now = T0 + timedelta(minutes=minute)
        ward.spo2(1, [level * 100], acquisition=1)
        ward.pass_time(seconds=290 if minute == 0 else 660)
    rows = ward.connection.execute(
        "SELECT v.detail FROM episode_event v JOIN episode e USING (episode_id)"
        " WHERE v.kind IN ('raised', 'raised_anew') AND NOT e.technical ORDER BY v.event_id"
    ).fetchall()
    served = [(row.detail["rule"], _ms(row.detail["raised_at"])) for row in rows]
    assert {"SPO2-REFER", "SPO2-CRIT"} <= {rule for rule, _ in served}
    assert served == [(page.rule, page.at_ms) for page in lived(ward, 1, state=State.UNACK)]


def test_a_lower_limit_of_fever_is_newly_paged_of_a_spot_patient(ward: Ward) -> None:
    for hour in range(0, 60, 6):  # 38.3: under the shipped 38.5 for 54 h
        ward.now = T0 + timedelta(hours=hour)
        ward.temperatures(3, [(0, 3830)])
    ward.now += timedelta(hours=1)
    new = standard_adult().replace("above = 38.5", "above = 38.0").replace("clear_at = 38.0", "clear_at = 37.9")
    document = rehearsed(ward, new, patients=(3,), days=4)
    assert document["pages"]["standing"]["pages"] == 0
    assert [(each["rule"], each["at"]) for each in document["newly"]] == [
        ("FEVER-48H", (T0 + timedelta(hours=54)).isoformat())  # the first reading more than 48 h after the beginning
    ]
    assert (document["stream_hours"], document["coverage_percent"], document["patient_days"]) == (0.0, None, 3)


def lived(ward: Ward, patient: int, *, state: State, days: int = 1) -> list[Page]:
    """Judge a patient under the shipped profile and give his pages."""
    with connect_to_read(ward.dsn) as connection:
        subject = read_subject(connection, patient, site_altitude_m=0)
        devices = read_devices(connection)
        begin, end = ward.now - timedelta(days=days), ward.now
        made = Lived(profile(), subject.patient, begin_ms=unix_ms(begin), step=fastest())
        for span in spans_of(subject.patient.facts, subject.orders, zone=subject.zone, edges=[begin, end]):
            samples = read_samples(connection, patient, span.begins_at, span.ends_at, streams_too=True)
            edges = {"begin_ms": unix_ms(span.begins_at), "end_ms": unix_ms(span.ends_at)}
            made.take(samples, made.held(span.facts, span.on), devices, **edges)
    return made.pages(until_ms=unix_ms(end), state=state)


def _ms(text: str) -> int:
    return unix_ms(datetime.fromisoformat(text))


# ---- orders, panels, and who is left out ---------------------------------------------------------------------------


def test_an_order_holds_from_when_it_was_given_until_it_ended(ward: Ward) -> None:
    breathe(ward, 1, (97, 600), (91, 600), (97, 900))
    ordered_at = ward.now
    ward.connection.execute(
        "INSERT INTO limit_order (patient_id, rule, breach, clear_at, reason, ordered_by, ordered_at, valid_until)"
        " VALUES (1, 'SPO2-REFER', 8900, 9000, 'COPD', 1, %(at)s, %(at)s + INTERVAL '1 h'),"
        "        (1, 'SPO2-AMBER', 8950, 9050, 'COPD', 1, %(at)s, %(at)s + INTERVAL '1 h')",
        {"at": ordered_at},
    )
    breathe(ward, 1, (91, 1200), (97, 900))  # within the order: 91 is well for him
    ward.now = ordered_at + timedelta(hours=1)
    breathe(ward, 1, (97, 600), (91, 600), (97, 900))
    document = rehearsed(ward, standard_adult())
    assert document["pages"]["standing"]["pages"] == 2
    assert document["orders_refused"] == []


def test_an_order_that_a_new_profile_makes_impossible_falls_and_is_named(ward: Ward) -> None:
    breathe(ward, 1, (97, 600), (91, 600), (97, 900))
    ward.connection.execute(
        "INSERT INTO limit_order (patient_id, rule, breach, clear_at, reason, ordered_by, ordered_at, valid_until)"
        " VALUES (1, 'SPO2-REFER', 8900, 9000, 'COPD', 1, %s, %s)",
        [T0, T0 + timedelta(days=9)],
    )
    document = rehearsed(
        ward, _everywhere("at_or_below = 88.0", "at_or_below = 89.0", "clear_at = 89.0", "clear_at = 90.0")
    )
    (refused,) = document["orders_refused"]
    assert (refused["patient"], refused["profile"]) == ("p1", "new")
    assert "SPO2-REFER: limit" in refused["reason"]
    # 600 s at 91 are well by his order, and without it a raise; of SPO2-AMBER's 15 min they are short.
    assert (document["pages"]["standing"]["pages"], document["pages"]["new"]["pages"]) == (0, 1)


def _everywhere(*pairs: str) -> str:
    text = standard_adult()
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        text = text.replace(old, new)
    return text


def test_who_has_no_data_is_named_and_the_others_are_judged(ward: Ward) -> None:
    two_falls(ward)
    document = rehearsed(ward, standard_adult(), patients=(1, 2, 3, 4))
    assert document["patients"] == 1
    assert document["skipped"] == [{"patient": f"p{n}", "reason": "no data in these days"} for n in (2, 3, 4)]


# ---- the command -----------------------------------------------------------------------------------------------------


def run(ward: Ward, *words: str, profile_text: str | None = None) -> Any:
    environment = {
        "HEARTHWATCH_DATABASE_DSN": ward.dsn,
        "HEARTHWATCH_CLOCK_ORIGIN": ward.now.isoformat(),
        "HEARTHWATCH_CLOCK_SPEED": "0.001",
        "HEARTHWATCH_ALERTING_SITE_ALTITUDE_M": "50",
    }
    return CliRunner().invoke(app, ["rehearse", *words], env=environment, input=profile_text)


def test_the_command_says_it_in_text_and_as_json(ward: Ward, tmp_path: Path) -> None:
    two_falls(ward)
    new = tmp_path / "new.toml"
    new.write_text(changed("SPO2-REFER", window_s=600), encoding="utf-8")
    said = run(ward, "--panel", "town", "--days", "1", "--profile", str(new))
    assert said.exit_code == 0, said.stderr
    for text in ("no longer paged: 1 (0 that a person decided as real", "not judged: p2: no data in these days", "p1"):
        assert text in said.stdout
    document = json.loads(run(ward, "--patient", "p1", "--days", "1", "--profile", str(new), "--json").stdout)
    assert document["missed_count"]["all"] == 1
    assert set(document) == KEYS


KEYS = {
    "rehearsal", "from", "until", "standing", "new", "patients", "patient_days", "stream_hours", "coverage_percent",
    "skipped", "orders_refused", "recorded_pages", "pages", "by_rule", "missed_count", "missed_per_patient_day",
    "missed", "quieter", "newly", "delay_change", "unpaged", "per_patient", "seconds", "patient_days_per_s",
}  # fmt: skip


def test_the_documents_keys_are_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "rehearsal.md").read_text(encoding="utf-8")
    assert {key for key in KEYS if f"`{key}`" not in page} == set()


@pytest.mark.parametrize(
    ("words", "text", "named"),
    [
        (("--patient", "nobody"), standard_adult(), "patient 'nobody' is not in the registry"),
        (("--panel", "nowhere"), standard_adult(), "organisation 'nowhere' is not in the registry"),
        (("--patient", "p1", "--days", "0"), standard_adult(), "--days 0: not within 1 to 400"),
        ((), standard_adult(), "name either --patient or --panel"),
        (("--patient", "p1"), "name = [", "the profile, line 1: not TOML"),
        (("--patient", "p1"), changed("SPO2-CRIT", window_s=7), "window of 7000 ms"),
    ],
)
def test_what_is_wrong_is_named(ward: Ward, words: tuple[str, ...], text: str, named: str) -> None:
    said = run(ward, *words, "--profile", "-", profile_text=text)
    assert said.exit_code == 2
    assert said.stderr.startswith("rehearse: ")
    assert named in said.stderr


def test_the_connection_that_reads_can_not_write(ward: Ward) -> None:
    with connect_to_read(ward.dsn) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM sample")


# ---- the cores ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (changed("SPO2-REFER", window_s=7), "window_s = 7"),
        (changed("SPO2-REFER", window_s=-10), "window_s = -10"),
        (changed("SPO2-CRIT", share_percent=101), "share_percent = 101"),
        (changed("SPO2-CRIT", clear_at=80.0), "clear_at = 80.0"),
        (changed("SPO2-AMBER", at_or_below=999.0), "at_or_below = 999.0"),
        (standard_adult().replace("[orders]", "[order]"), "[order]"),
    ],
)
def test_an_absurd_profile_is_refused_by_its_line(text: str, line: str) -> None:
    with pytest.raises(ProfileError) as refused:
        parse_profile(text)
    number = line_of(text, str(refused.value))
    assert number is not None, refused.value
    assert text.splitlines()[number - 1] == line


def test_a_rules_numbers_are_changed_in_all_its_forms_and_nothing_else() -> None:
    shipped = standard_adult()
    text = changed_in_text(shipped, "SPO2-CRIT", {"limit": 87, "clear_at": 88, "window_s": 70})
    old, new = shipped.splitlines(), text.splitlines()
    assert len(old) == len(new)
    differing = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    limits = [("at_or_below = 88.0", "at_or_below = 87.0"), ("clear_at = 89.0", "clear_at = 88.0")]
    assert sorted(differing) == sorted([*limits, *limits, ("window_s = 120", "window_s = 70")])
    crit = next(each for each in changeable(text) if each.rule == "SPO2-CRIT")
    assert (crit.form, crit.numbers["limit"], crit.numbers["window_s"]) == ("at_or_below", 87.0, 70.0)
    with pytest.raises(ProfileError, match="SPO2-CRIT: has no longer_than_s to change"):
        changed_in_text(shipped, "SPO2-CRIT", {"longer_than_s": 5})


def raising(rule: str, at: int, cleared: int | None, *, since: int | None = None) -> Raising:
    consequence = profile().consequences[rule]
    return Raising(
        rule=rule, consequence=consequence, since_ms=at - 5 if since is None else since, at_ms=at, cleared_ms=cleared
    )


def told(*raisings: Raising, state: State = State.ACK) -> list[tuple[str, int, int | None, bool]]:
    return [(p.rule, p.at_ms, p.until_ms, p.is_first) for p in pages_of(raisings, state=state)]


def test_a_worse_rule_pages_within_a_spell_and_a_lesser_one_counts() -> None:
    said = told(raising("SPO2-REFER", 100, 500), raising("SPO2-CRIT", 200, 300), raising("SPO2-AMBER", 400, 900))
    assert said == [("SPO2-REFER", 100, 900, True), ("SPO2-CRIT", 200, 900, False)]


def test_after_it_was_over_any_raise_pages_unless_a_louder_one_still_rings() -> None:
    course = raising("SPO2-CRIT", 100, 200), raising("SPO2-AMBER", 300, 400), raising("SPO2-CRIT", 500, None)
    assert [rule for rule, *_ in told(*course)] == ["SPO2-CRIT", "SPO2-AMBER", "SPO2-CRIT"]
    assert [rule for rule, *_ in told(*course, state=State.UNACK)] == ["SPO2-CRIT", "SPO2-CRIT"]


def test_families_do_not_cover_each_other() -> None:
    standing = pages_of([raising("SPO2-REFER", 100, 900), raising("HR-HIGH", 100, 900)])
    found = difference(standing, pages_of([raising("HR-HIGH", 700, 900)]), [])
    assert [each.page.rule for each in found.missed] == ["SPO2-REFER"]
    assert found.later_ms == [600]


@pytest.mark.parametrize(
    ("decisions", "decided"),
    [
        ([], Decided.UNDECIDED),
        ([(50, "refer")], Decided.UNDECIDED),  # about an alarm before this one
        ([(50, "refer"), (150, "false_alarm"), (170, "close")], Decided.FALSE_ALARM),
        ([(150, "stay_home"), (160, "false_alarm")], Decided.REAL),
    ],
)
def test_the_first_decision_from_the_page_on_counts(decisions: list[tuple[int, str]], decided: Decided) -> None:
    episode = Recorded(
        episode_id=7,
        family="spo2_low",
        since_ms=20,
        closed_ms=None,
        decisions=[Decision(at_ms=at, act=act) for at, act in decisions],
    )
    (missed,) = difference(pages_of([raising("SPO2-REFER", 100, 200)]), [], [episode]).missed
    assert (missed.decided, missed.episode_id) == (decided, 7)


def test_progress_is_read_as_it_is_written() -> None:
    progress = Progress(done=3, of=40, percent=8)
    assert progress.line(16.0) == "rehearse: 3 of 40 patients, 8 %, about 3 min left"
    assert progress_of(progress.line(16.0)) == progress
    assert progress_of("rehearse: patient 'x' is not in the registry") is None


@given(cuts=st.lists(st.integers(1, 3599), max_size=6), split=st.integers(1, 3599))
def test_a_clip_gives_the_same_sessions_however_its_time_is_cut(cuts: list[int], split: int) -> None:
    rule = profile().sessions
    samples = [
        ClipSample(
            t_ms=T0_MS + 1000 * s, value=None if s % 700 > 500 else 9600 + s // 900 * 100, finger_out=s % 700 > 690
        )
        for s in range(0, 3600, 2)
        if abs(s - split) > 20
    ]
    clips, said = Clips(rule), []
    edges = [0, *sorted(set(cuts)), 3600]
    for begin, end in pairwise(edges):
        part = [x for x in samples if begin <= (x.t_ms - T0_MS) // 1000 < end]
        said += clips.take({1: part}, end_ms=T0_MS + 1000 * end)[Signal.SPO2]
    said += clips.take({}, end_ms=None)[Signal.SPO2]
    whole = [(each.at_ms, each.value, each.status.value) for each in form_sessions(samples, rule)]
    assert [(each.t_ms, each.value, each.how.value) for each in said] == whole
