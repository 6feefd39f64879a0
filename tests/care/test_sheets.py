"""CSV sheets and the exported file: what is written reads back the same, and every wrong cell is told at once."""

import csv
import io
import json
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from care.commands import app
from care.exporting import read_registry
from care.loading import load
from care.registry import Patient, Registry, RiskColour, ServiceTier, Sex, SpecialGroup
from care.registry_csv import COLUMNS, PROBLEMS_MAX, Kind, SheetError, parse_sheet, write_sheet
from care.registry_file import parse_registry
from care.registry_toml import render
from care.sheets import import_sheet
from tests.care.example import example, without_passwords

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KNOWN = without_passwords()
MORE = """
[team.willow]
name = "柳庄家庭医生团队"
organisation = "liuzhuang-village"
family_doctor = "li"
nurse = "sun"
village_doctor = "chen"
helper_people = ["fang"]
helpers = ["网格员 王芳 0318-555-0200", "志愿者 赵强"]

[kit.box-1]
organisation = "heping-centre"
devices = ["C0:00:00:00:00:05"]

[[contact]]
patient = "p1"
name = "张伟"
relation = "child"
phone = "138 0000 1111"
may_be_told = true
lives_with = false

[[contact]]
patient = "p1"
name = "李奶奶"
relation = "neighbour"
phone = "0318-555-0300"

[[consent]]
patient = "p1"
purpose = "telemonitoring"
version = "2026-01"
given_by = "patient"
at = 2026-01-02T09:00:00+08:00
"""
IN_TEAM = ('bed = "柳庄-01"', 'bed = "柳庄-01"\nteam = "willow"')


def full() -> Registry:
    """Give the example with a team, contacts, a consent and a kit."""
    return without_passwords(IN_TEAM, ("# --- 值班 Duty", MORE + "# --- 值班 Duty"))


@pytest.fixture
def connection(any_database: str) -> Any:
    with psycopg.connect(any_database, autocommit=True) as opened:
        yield opened


def sheet(kind: Kind, *rows: dict[str, str]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS[kind], restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


WANG = {
    "key": "p8", "name": "王,小明", "initials": "WXM", "born_on": "1950/3/2", "sex": "male", "risk_colour": "green",
    "organisation": "liuzhuang-village", "family_doctor": "li", "service_tier": "1",
    "special_groups": "over_65；dialysis",
}  # fmt: skip


def test_a_row_as_excel_in_china_writes_it_is_a_patient() -> None:
    text = sheet(Kind.PATIENTS, WANG).decode()
    for raw in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("gb18030")):
        (patient,) = parse_sheet(raw, Kind.PATIENTS, KNOWN).patients
        assert (patient.name, patient.born_on) == ("王,小明", date(1950, 3, 2))
        assert patient.special_groups == (SpecialGroup.OVER_65, SpecialGroup.DIALYSIS)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("sex", "man", "'man' is not one of female, male, unknown"),
        ("sex", "", "is empty: write one of female, male, unknown"),
        ("name", "", "is empty: write a text"),
        ("born_on", "12.3.1950", "'12.3.1950' is not a date like 1950-12-31"),
        ("born_on", "1950-02-30", "'1950-02-30' is not a date like 1950-12-31"),
        ("family_doctor", "nobody", "'nobody' is no person of the registry"),
        ("family_doctor", "sun", "'sun' has another role than family_doctor"),
        ("organisation", "x", "'x' is no organisation of the registry"),
        ("service_tier", "4", "4 is not one of 1, 2, 3"),
        ("service_tier", "two", "'two' is not one of 1, 2, 3"),
        ("special_groups", "over_65;tall", "'tall' is not one of infant"),
        ("household_phone", "1.38E+10", "was rounded by the spreadsheet"),
        ("household_channels", "mail", "'mail' is no channel"),
        ("team", "blue", "'blue' is no team of the registry"),
        ("key", "P 8", "the key 'P 8' is not of the form"),
        ("name", "x\x07y", "has unprintable characters"),
    ],
)
def test_a_wrong_cell_is_told_by_line_column_and_value(column: str, value: str, said: str) -> None:
    with pytest.raises(SheetError) as caught:
        parse_sheet(sheet(Kind.PATIENTS, WANG, WANG | {"key": "p9", column: value}), Kind.PATIENTS, KNOWN)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.value) == (3, column, value)
    assert said in problem.message


def test_all_wrong_cells_are_told_at_once_and_lines_count_breaks_within_cells() -> None:
    rows = [WANG | {"key": "p9", "bed": "a\nb"}, WANG | {"sex": "x"}, WANG | {"born_on": ""}]
    with pytest.raises(SheetError) as caught:
        parse_sheet(sheet(Kind.PATIENTS, *rows), Kind.PATIENTS, KNOWN)
    assert [(each.line, each.column) for each in caught.value.problems] == [
        (2, "bed"), (4, "sex"), (5, "born_on"), (5, "key"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "line", "said"),
    [
        (b"", 1, "column 'key' is missing"),
        (b"key;name;sex\n", 1, "not parted by commas"),
        ("key,name".encode("utf-16"), 1, "is UTF-16"),
        (b"key,name\n\x80\xff", 2, "neither UTF-8 nor GB18030"),
        (sheet(Kind.PEOPLE) + b'li,"a"b,', 2, "is no CSV there"),
        (sheet(Kind.PEOPLE) + b"li,a", 2, "has 2 cells, the heading 7"),
        (sheet(Kind.PEOPLE).replace(b"role", b"roles"), 1, "'roles' is no column of people"),
    ],
)
def test_a_file_that_is_no_sheet_is_told(raw: bytes, line: int, said: str) -> None:
    with pytest.raises(SheetError) as caught:
        parse_sheet(raw, Kind.PEOPLE, KNOWN)
    assert any(problem.line == line and said in problem.message for problem in caught.value.problems)


def test_problems_are_bounded() -> None:
    rows = [WANG | {"key": f"q{number}", "sex": "x"} for number in range(PROBLEMS_MAX + 500)]
    with pytest.raises(SheetError) as caught:
        parse_sheet(sheet(Kind.PATIENTS, *rows), Kind.PATIENTS, KNOWN)
    assert len(caught.value.problems) == PROBLEMS_MAX + 1
    assert any("there are more than" in each.message for each in caught.value.problems)


TEAM = {
    "key": "willow", "name": "柳庄家庭医生团队", "organisation": "liuzhuang-village", "family_doctor": "li",
    "nurse": "sun", "village_doctor": "chen", "helper_people": "fang", "helpers": "网格员 王芳;志愿者 赵强",
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("helper_people", "sun", "'sun' is nobody with the role helper"),
        ("helper_people", "fang;fang", "'fang' stands there twice"),
        ("family_doctor", "chen", "the team's patient p1 has the family doctor 'li'"),
        ("nurse", "x", "'x' is no person of the registry"),
    ],
)
def test_what_is_wrong_with_a_team_is_told_by_its_cell(column: str, value: str, said: str) -> None:
    with pytest.raises(SheetError) as refused:
        parse_sheet(sheet(Kind.TEAMS, TEAM | {column: value}), Kind.TEAMS, full())
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (2, column)
    assert said in problem.message


def test_a_sheet_of_teams_says_who_is_in_them_and_leaves_the_others_alone(connection: Any) -> None:
    load(connection, full(), now=NOW)
    import_sheet(connection, sheet(Kind.TEAMS, TEAM | {"helpers": ""}), Kind.TEAMS, now=NOW)
    teams = {team.key: team for team in read_registry(connection).teams}
    assert (teams["willow"].helper_people, teams["willow"].helpers) == (("fang",), ())
    assert teams["liuzhuang"].helpers == ("志愿者 赵强 0318-555-0201",)
    import_sheet(connection, sheet(Kind.TEAMS, TEAM | {"helper_people": ""}), Kind.TEAMS, now=NOW)
    assert read_registry(connection).teams[1].helper_people == ()


def test_a_team_has_the_patients_doctor() -> None:
    with pytest.raises(SheetError, match="'willow' has the family doctor 'li', the patient has 'chen'"):
        parse_sheet(sheet(Kind.PATIENTS, WANG | {"family_doctor": "chen", "team": "willow"}), Kind.PATIENTS, full())


def test_two_people_wear_nothing_at_a_time_and_nobody_a_shared_device() -> None:
    rows = [
        {"device": "C0:00:00:00:00:01", "patient": "p1", "from": "2026-01-01T00:00:00+08:00"},
        {"device": "C0:00:00:00:00:01", "patient": "p2", "from": "2026-02-01T00:00:00+08:00"},
    ]
    with pytest.raises(SheetError, match="line 3: from: C0:00:00:00:00:01 is bound to 'p1' at that time too"):
        parse_sheet(sheet(Kind.BINDINGS, *rows), Kind.BINDINGS, KNOWN)
    shared = replace(KNOWN, devices=tuple(replace(each, shared=True) for each in KNOWN.devices))
    with pytest.raises(SheetError, match="line 2: device: C0:00:00:00:00:01 is shared"):
        parse_sheet(sheet(Kind.BINDINGS, rows[0]), Kind.BINDINGS, shared)


words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
cells = st.one_of(words, words.map(lambda text: f"={text}"), words.map(lambda text: f"'+{text}")).filter(
    lambda text: text.isprintable() and not text.startswith("\ufeff")
)


@given(name=cells, bed=st.one_of(st.just(""), cells), phone=st.from_regex(r"\+86 1[0-9]{10}", fullmatch=True))
def test_what_is_written_reads_back_the_same(name: str, bed: str, phone: str) -> None:
    patient = Patient(
        key="p", name=name, initials=name, bed=bed, born_on=date(1950, 1, 2), sex=Sex.MALE,
        organisation="liuzhuang-village", family_doctor="li", risk_colour=RiskColour.RED,
        service_tier=ServiceTier.THREE, special_groups=(SpecialGroup.CHILD,), household_phone=phone,
        household_channels=("json://a/b",), underlying_disease=None, vaccination=None, team=None,
    )  # fmt: skip
    written = write_sheet(Kind.PATIENTS, Registry(patients=(patient,)))
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in csv.reader(io.StringIO(written)) for cell in row)
    assert parse_sheet(written.encode(), Kind.PATIENTS, KNOWN).patients == (patient,)
    assert parse_sheet(written.encode("gb18030"), Kind.PATIENTS, KNOWN).patients == (patient,)


@pytest.mark.parametrize("kind", Kind)
def test_a_sheet_that_was_exported_changes_nothing(connection: psycopg.Connection[Any], kind: Kind) -> None:
    load(connection, full(), now=NOW)
    raw = write_sheet(kind, read_registry(connection)).encode()
    done = import_sheet(connection, raw, kind, now=NOW + timedelta(days=1))
    assert (done.changes, done.version) == (0, 2)


def test_a_sheet_changes_what_it_has_and_nothing_else(connection: psycopg.Connection[Any]) -> None:
    load(connection, example(), now=NOW)
    raw = sheet(Kind.PATIENTS, WANG)
    assert import_sheet(connection, raw, Kind.PATIENTS, now=NOW).counts() | {"patients": 0} == dict.fromkeys(
        load(connection, Registry(), now=NOW).counts(), 0
    )
    people = write_sheet(Kind.PEOPLE, read_registry(connection)).replace("孙护士", "孙护士长").encode()
    assert import_sheet(connection, people, Kind.PEOPLE, now=NOW).people == 1
    assert connection.execute("SELECT count(*) FROM person WHERE password_hash IS NULL").fetchone() == (0,)
    devices = sheet(Kind.DEVICES, {"key": "C0:00:00:00:00:01", "kind": "oximeter", "wellness": "是"})
    assert import_sheet(connection, devices, Kind.DEVICES, now=NOW).counts()["bindings"] == 0
    row = {"device": "C0:00:00:00:00:01", "patient": "p8", "from": "2026-03-01T12:00:00+00:00"}
    assert import_sheet(connection, sheet(Kind.BINDINGS, row), Kind.BINDINGS, now=NOW).bindings == 2
    worn = "SELECT count(*) FROM care_binding WHERE valid_until IS NULL"
    assert connection.execute(worn).fetchone() == (6,)


def test_the_exported_file_loads_to_the_same_registry(connection: psycopg.Connection[Any], database: str) -> None:
    load(connection, full(), now=NOW)
    text = render(read_registry(connection))
    again = parse_registry(text, "export.toml")
    assert load(connection, again, now=NOW + timedelta(days=1)).changes == 0
    with psycopg.connect(database, autocommit=True) as other:
        if other.info.dsn == connection.info.dsn:
            return
        load(other, again, now=NOW)
        assert render(read_registry(other)) == text


def test_five_thousand_patients_take_seconds(connection: psycopg.Connection[Any]) -> None:
    load(connection, KNOWN, now=NOW)
    raw = sheet(Kind.PATIENTS, *(WANG | {"key": f"q{number}", "vaccination": "full"} for number in range(5000)))
    begun = time.monotonic()
    assert import_sheet(connection, raw, Kind.PATIENTS, now=NOW).patients == 5000
    assert time.monotonic() - begun < 60, "a loaded machine takes its time, an hour of round trips is something else"


def test_the_command_line_says_all_and_writes_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", database)
    with psycopg.connect(database) as db:
        load(db, KNOWN, now=NOW)
    file, run = tmp_path / "patients.csv", CliRunner().invoke
    assert run(app, ["export", "--kind", "patients", "--out", str(file)]).exit_code == 0
    raw = file.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfkey,name,")
    assert run(app, ["import", str(file), "--kind", "patients", "--check"]).stdout.endswith("in order: 7 patients\n")
    assert run(app, ["import", str(file), "--kind", "patients"]).stdout == "registry version 2: nothing to change\n"
    text = raw.decode("utf-8-sig")
    file.write_bytes(text.replace("female", "woman", 1).replace(",li,", ",lee,", 1).encode("gb18030"))
    told = run(app, ["import", str(file), "--kind", "patients"])
    assert told.exit_code == 1
    assert f"{file}:2: sex: 'woman' is not one of female, male, unknown" in told.output
    assert f"{file}:2: family_doctor: 'lee' is no person of the registry" in told.output
    assert "has 2 problems; nothing was written" in told.output
    as_json = run(app, ["import", str(file), "--kind", "patients", "--json"])
    (first, second) = json.loads(as_json.stdout.splitlines()[0])["problems"]
    assert (first["line"], first["column"], first["value"]) == (2, "family_doctor", "lee")
    assert second["column"] == "sex"
    file.write_bytes(raw.replace("张秀英".encode(), "张秀兰".encode()))
    done = run(app, ["import", str(file), "--kind", "patients", "--json"])
    assert json.loads(done.stdout)["changed"]["patients"] == 1
    assert "7 patients in order, being written" in done.stderr
    whole = run(app, ["export", "--toml"])
    assert "张秀兰" in whole.stdout
    assert run(app, ["export"]).exit_code == 1
