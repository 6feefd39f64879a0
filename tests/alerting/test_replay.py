"""`hearthwatch alerting replay`: files in, events out, and errors that say where and what to do."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alerting.commands import app
from alerting.profile.file import standard_adult
from alerting.replay.layouts import MAPS, mapped
from alerting.replay.recording import Mode
from alerting.replay.table import read_table
from alerting.replay.wfdb import WfdbError, lines_of, parse_header
from tests.alerting.streams import FALL_S, SHARE_S
from vitals.signals import Signal

HEADER = "time,spo2,pulse"
KEYS = {"at", "rule", "kind", "priority", "since", "value", "profile", "evidence"}


def replay(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["replay", *arguments])


def written(folder: Path, lines: Sequence[str], name: str = "course.csv") -> str:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def falling(header: str = HEADER) -> list[str]:
    """Two minutes at 97, then two at 84, once a second."""
    rows = [f"2026-03-01T12:{s // 60:02}:{s % 60:02}+08:00,{97 if s < 120 else 84},70" for s in range(240)]
    return [header, *rows]


def test_each_event_is_one_line_of_json(tmp_path: Path) -> None:
    result = replay(written(tmp_path, falling()), "--json")
    assert result.exit_code == 0, result.output
    (line,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert line.keys() == KEYS
    assert (line["rule"], line["kind"], line["priority"], line["value"]) == ("SPO2-CRIT", "raise", "high", 84.0)
    assert line["since"] == "2026-03-01T04:02:00+00:00"
    evidence = line["evidence"]
    assert 120 + SHARE_S <= evidence["at_s"] < 120 + FALL_S
    assert (evidence["emergency"], evidence["technical"], evidence["basis"]) == (True, False, "sustained")
    assert len(line["profile"]) == 64
    assert evidence["samples_below"] >= SHARE_S
    assert evidence["said"]["zh"].startswith("血氧 ≤ 88%，最低84%，2分钟内占")
    assert evidence["said"]["en"].startswith("SpO2 ≤ 88 %, lowest 84 %, ")
    assert evidence["said"]["en"].endswith(f"limits standard-adult {line['profile'][:12]}")


def test_an_end_says_since_when_how_long_and_what_cleared(tmp_path: Path) -> None:
    rows = [f"{s},{84 if 120 <= s < 300 else 97}" for s in range(1200)]
    lines = replay(written(tmp_path, ["seconds,spo2", *rows]), "--json").stdout.splitlines()
    said = {(line["rule"], line["kind"]): line for line in map(json.loads, lines)}
    over, raised = said["SPO2-CRIT", "clear"], said["SPO2-CRIT", "raise"]
    assert over.keys() == KEYS
    assert over["value"] == over["evidence"]["value"] == 97.0
    assert (over["evidence"]["since"], over["evidence"]["until"]) == (raised["since"], over["at"])
    assert over["evidence"]["lasted_s"] == over["evidence"]["at_s"] - 120
    assert over["evidence"]["said"]["en"].endswith("at 97 %")


@pytest.mark.parametrize(
    ("of_replay", "of_profile"),
    [
        ([], []),
        (["--patient-age", "4"], ["--patient-age", "4y"]),
        (["--group", "pregnant"], ["--group", "pregnant"]),
    ],
)
def test_an_events_profile_is_what_the_profile_command_prints(
    tmp_path: Path, of_replay: list[str], of_profile: list[str]
) -> None:
    lines = ["seconds,spo2", *(f"{s},{84 if s >= 120 else 97}" for s in range(240))]
    events = replay(written(tmp_path, lines), "--json", *of_replay).stdout.splitlines()
    (held,) = {json.loads(event)["profile"] for event in events}
    printed = CliRunner().invoke(app, ["profile", *of_profile])
    assert held in printed.stdout
    document = json.loads(CliRunner().invoke(app, ["profile", "--json", *of_profile]).stdout)
    assert document["held_sha256"] == held


def test_a_line_of_text_says_it_as_a_doctor_reads_it(tmp_path: Path) -> None:
    said = replay(written(tmp_path, falling())).stdout
    assert "since 04:02:00  SpO2 ≤ 88 %, lowest 84 %, " in said
    assert "88.01" not in said


def test_without_json_the_course_is_drawn_and_told(tmp_path: Path) -> None:
    result = replay(written(tmp_path, falling()))
    assert result.exit_code == 0, result.output
    assert "spo2 %" in result.stdout
    assert "A SPO2-CRIT" in result.stdout
    bars = [line for line in result.stdout.splitlines() if "█" in line]
    assert bars[0].startswith("   97.0 |█")
    assert bars[-1].rstrip("|").endswith("█")
    assert "SPO2-CRIT         high + emergency" in result.stdout


def test_a_profile_of_ones_own_decides(tmp_path: Path) -> None:
    stricter = standard_adult().replace("at_or_below = 88.0", "at_or_below = 80.0")
    profile = tmp_path / "own.toml"
    profile.write_text(stricter, encoding="utf-8")
    assert replay(written(tmp_path, falling()), "--profile", str(profile), "--json").stdout == ""


def test_a_course_that_begins_before_0_raises_as_any_other(tmp_path: Path) -> None:
    course = ["seconds,spo2", *(f"{second},{97 if second < -400 else 84}" for second in range(-900, 1))]
    printed = replay(written(tmp_path, course), "--json")
    events = [json.loads(line) for line in printed.stdout.splitlines()]
    assert "SPO2-CRIT" in {event["rule"] for event in events if event["kind"] == "raise"}


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    lines = ['t s,"SpO2, finger"', *(f"{s},{84 if s > 120 else 97}" for s in range(240))]
    result = replay(written(tmp_path, lines), "--map", 'seconds="t s",spo2="SpO2, finger"', "--json")
    assert [json.loads(line)["rule"] for line in result.stdout.splitlines()] == ["SPO2-CRIT"]


def test_quality_columns_are_heeded(tmp_path: Path) -> None:
    lines = [
        "seconds,spo2,spo2_quality",
        *(f"{s},{84 if s > 120 else 97},{'questionable' if s > 120 else 'good'}" for s in range(239)),
    ]
    assert replay(written(tmp_path, lines), "--json").stdout == ""


def test_a_child_is_more_urgent(tmp_path: Path) -> None:
    lines = ["seconds,temperature", "0,39.5", "1800,39.6"]
    priorities = [
        json.loads(replay(written(tmp_path, lines), "--json", *more).stdout)["priority"]
        for more in ([], ["--patient-age", "4"], ["--patient-age", "40"], ["--risk-colour", "red"])
    ]
    assert priorities == ["low", "medium", "low", "medium"]


def test_a_stream_too_slow_for_a_rule_is_said_so(tmp_path: Path) -> None:
    lines = ["seconds,spo2", *(f"{90 * m},97" for m in range(20))]
    result = replay(written(tmp_path, lines))
    assert "note: SPO2-CRIT needs a sample every 60 s; here 90 s: its repeat form judges instead" in result.stderr
    assert "note" not in replay(written(tmp_path, lines), "--mode", "spot").stderr


FAULTS = [
    ([], "line 1: no header"),
    (["a,b", "1,2"], 'no column time or seconds in the header (a, b); say which is which: --map seconds="a",spo2="b"'),
    (["time,oxygen", "1,2"], "no column spo2"),
    ([HEADER, "2026-03-01T12:00:00Z,9x,70"], "line 2, column \"spo2\": '9x' is not a number; leave it empty"),
    ([HEADER, "noon,97,70"], "line 2, column \"time\": 'noon' is no date and time, as 2026-01-31T08:00:00Z"),
    (["seconds,spo2", "1,97", "0,97"], 'line 3, column "seconds": goes back in time by 1 s; sort the lines by time'),
    ([HEADER, "2026-03-01T12:00:00Z,97"], "line 2: 2 fields, where the header has 3"),
    ([HEADER, "2026-03-01T12:00:00Z,,"], "no line has a value of a signal"),
    (["seconds,spo2,spo2_quality", "1,97,fine"], "line 2, column \"spo2_quality\": 'fine' is none of good"),
    (["seconds,spo2", '1,"97'], "line 2: unexpected end of data"),
    (["seconds,spo2", "1e18,97"], "line 2, column \"seconds\": '1e18' lies outside the years 1970 to 2300"),
    (["seconds,spo2", "-1e6,97"], "line 2, column \"seconds\": '-1e6' lies outside the years 1970 to 2300"),
    (["seconds,spo2", "inf,97"], "line 2, column \"seconds\": 'inf' lies outside the years 1970 to 2300"),
    (["seconds,spo2", "nan,97"], "line 2, column \"seconds\": 'nan' lies outside the years 1970 to 2300"),
    (["seconds,spo2,SpO2", "1,97,80"], 'line 1: column "spo2" stands 2 times; leave one, or say which: --map'),
    (["seconds,spo2,spo2_quality,spo2_quality", "1,97,good,bad"], 'line 1: column "spo2_quality" stands 2 times'),
]


@pytest.mark.parametrize(("lines", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_what_can_not_be_read_is_named_with_a_way_out(tmp_path: Path, lines: list[str], said: str) -> None:
    path = written(tmp_path, lines)
    result = replay(path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"replay: {path}: ")
    assert said in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "uw"], "--map uw: not one of uw_hypoxia, bidmc"),
        (["--map", "spo2=SpO2"], "needs one of time, wall, seconds, hours and at least one signal"),
        (["--map", "oxygen=SpO2,seconds=s"], "'oxygen' is none of time"),
        (["--map", "spo2=,seconds=s"], 'no column after "spo2="'),
        (["--map", "bidmc"], 'line 1: no column "Time [s]" in the header (time, spo2, pulse)'),
        (["--mode", "streaming"], "--mode streaming: not one of auto, continuous, spot"),
        (["--risk-colour", "blue"], "--risk-colour blue: not one of green"),
        (["--profile", "/nowhere/own.toml"], "replay: /nowhere/own.toml: no such file or directory\n"),
        (["--map", "spo2=spo2,spo2=pulse,time=time"], "replay: --map spo2=pulse: spo2 is given twice\n"),
    ],
)
def test_an_option_that_can_not_be_meant_is_named(tmp_path: Path, arguments: list[str], said: str) -> None:
    result = replay(written(tmp_path, falling()), *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    away = tmp_path / "away.csv"
    assert replay(str(away)).stderr == f"replay: {away}: no such file or directory\n"
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    result = replay(str(tmp_path / "bytes.csv"))
    assert (result.exit_code, "is no UTF-8 text (byte 0xff at 0)" in result.stderr) == (2, True)


def test_a_profile_that_is_wrong_is_blamed_and_not_the_recording(tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    for text, said in (
        ("name = [", "not TOML"),
        (standard_adult().replace("window_s = 120\n", "window_s = 7\n"), "7000"),
    ):
        profile.write_text(text, encoding="utf-8")
        result = replay(written(tmp_path, falling()), "--profile", str(profile))
        assert result.exit_code == 2
        assert result.stderr.startswith(f"replay: {profile}: ")
        assert said in result.stderr
    profile.write_bytes(b"\x80\x00")
    result = replay(written(tmp_path, falling()), "--profile", str(profile))
    assert result.stderr.startswith(f"replay: {profile}: is no UTF-8 text (byte 0x80 at 0)")


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_values_that_can_not_be_one_are_counted_by_column(tmp_path: Path, more: list[str]) -> None:
    lines = ["seconds,spo2,temperature", "0,97,36.9", "1,inf,101.2", "2,,-17.8", "3,nan,36.8"]
    said = replay(written(tmp_path, lines), "--mode", "spot", *more).stderr
    assert 'note: column "spo2": 1 of 2 values can not be a spo2 (1 to 100); they count as no value' in said
    assert 'note: column "temperature": 2 of 4 values can not be a temperature' in said
    mapped_too = ["s,T", "0,36.9", "1,101.2"]
    said = replay(written(tmp_path, mapped_too), "--map", "seconds=s,temperature=T", *more).stderr
    assert 'note: column "T": 1 of 2 values' in said


def test_a_wall_clock_passes_midnight() -> None:
    lines = ["Time,SpO2 5,Pulse 5", " 23:59:59,97,60", " 00:00:00,97,60", "Collection Halted,,", "rubbish"]
    read = read_table(lines, MAPS["uw_hypoxia"], stream_ms_max=120_000)
    assert read.end_ms - read.begin_ms == 1000


def test_hours_may_go_beyond_a_day_and_one_line_may_hold_one_parameter() -> None:
    lines = ["Time,Parameter,Value", "00:07,Temp,36.7", "00:07,Glucose,180.16", "47:37,Temp,-17.8", "47:37,Urine,80"]
    read = read_table(lines, MAPS["cinc2012"], stream_ms_max=120_000)
    assert (read.end_ms - read.begin_ms) / 60_000 == 47 * 60 + 30
    assert read.series[Signal.TEMPERATURE].values.tolist() == [3670, -32768]
    assert read.series[Signal.GLUCOSE].values.tolist() == [1000]
    assert read.mode is Mode.SPOT


def test_every_known_recording_is_mapped_by_its_name() -> None:
    assert all(mapped(name) is layout for name, layout in MAPS.items())


RECORD = "r1 2 1/125 3 10:00:00\nr1.dat 16 10/% 16 0 970 {} 0 SpO2\n# comment\nr1.dat 16 1/bpm 16 0 60 {} 0 PULSE\n"
DIGITS = b"".join(int(n).to_bytes(2, "little", signed=True) for n in (970, 60, 0, 61, 912, -32768))


def test_a_wfdb_record_becomes_a_table() -> None:
    header = parse_header(RECORD.format(970 + 912, (60 + 61 - 32768)))
    assert list(lines_of(header, DIGITS)) == ["seconds,SpO2,PULSE", "0.000,97,60", "1.000,0,61", "2.000,91.2,"]


def test_a_wfdb_record_is_replayed_from_its_header(tmp_path: Path) -> None:
    (tmp_path / "r1.dat").write_bytes(DIGITS)
    path = written(tmp_path, RECORD.format(1882, 121 - 32768).splitlines(), "r1.hea")
    result = replay(path, "--map", "seconds=seconds,spo2=SpO2")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("header", "payload", "said"),
    [
        ("", DIGITS, "line 1: no record line"),
        ("r1 2 1 3\nr1.dat 16 10/% 16 0 0 0 0 SpO2", DIGITS, "2 signals, and 1 lines"),
        ("r1 1 1 3\nr1.dat 212 10/% 16 0 0 0 0 SpO2", DIGITS, "line 2: format 212; only 16 is read"),
        ("r1 1 1 3\nr1.dat 16 ten 16 0 0 0 0 SpO2", DIGITS, "line 2: "),
        (RECORD.format(1882, 121 - 32768), DIGITS[:-2], "5 samples, where 6 are announced"),
        (RECORD.format(1881, 121 - 32768), DIGITS, "the checksum of SpO2 differs"),
    ],
)
def test_a_wfdb_record_that_can_not_be_read_says_where(header: str, payload: bytes, said: str) -> None:
    with pytest.raises(WfdbError, match=said):
        list(lines_of(parse_header(header), payload))
