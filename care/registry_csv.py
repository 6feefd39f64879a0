"""Patients, people, devices, bindings and teams as CSV (core): strictly read, all errors at once by line and column.

A sheet has every column of its kind, in any order, named as the fields of the registry file. UTF-8 with or without its
mark, or GB18030 as Excel in China writes it. A cell that a spreadsheet would take for a formula has a ' before it.
"""

import csv
import io
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from care.household_entries import read_team
from care.reading import Entry, Problems
from care.registry import PersonRole, Registry
from care.registry_entries import Keys, read_binding, read_device, read_patient, read_person
from care.registry_whole import check_overlaps, check_shared, check_teams
from care.sheet_cells import ROUNDED, armed, disarmed, form_of, read_cell, written
from care.toml_lines import Path

ROWS_MAX = 100_000
BYTES_MAX = 64 * 1024 * 1024
PROBLEMS_MAX = 1000
"""So many are told; then reading ends with a last one that says so."""


class Kind(StrEnum):
    """What a sheet holds."""

    PATIENTS = "patients"
    PEOPLE = "people"
    DEVICES = "devices"
    BINDINGS = "bindings"
    TEAMS = "teams"


COLUMNS: dict[Kind, tuple[str, ...]] = {
    Kind.PATIENTS: (
        "key", "name", "initials", "bed", "born_on", "sex", "organisation", "family_doctor", "risk_colour",
        "service_tier", "special_groups", "household_phone", "household_channels", "underlying_disease", "vaccination",
        "team",
    ),
    Kind.PEOPLE: ("key", "name", "name_en", "organisation", "role", "service_tier", "channels"),
    Kind.DEVICES: ("key", "kind", "wellness", "expected_every_s", "gateway", "shared"),
    Kind.BINDINGS: ("device", "patient", "from", "until"),
    Kind.TEAMS: (
        "key", "name", "organisation", "family_doctor", "nurse", "village_doctor", "helper_people", "helpers",
    ),
}  # fmt: skip

_KEYED = {
    Kind.PATIENTS: "patient", Kind.PEOPLE: "person", Kind.DEVICES: "device", Kind.BINDINGS: "binding",
    Kind.TEAMS: "team",
}  # fmt: skip
_FIELDS = {"from": "since"}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RowProblem:
    """One thing wrong with a sheet: its line (the heading is 1), the column, what stands there, and the way out."""

    line: int
    column: str
    value: str
    message: str

    def __str__(self) -> str:
        """Give it as line: column: message."""
        return f"line {self.line}: {self.column}: {self.message}"


class SheetError(ValueError):
    """A sheet is wrong; `problems` are all of them."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = sorted(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: int
    cells: Mapping[str, str]


class _Full(Exception):
    """There are more problems than anybody reads."""


class _RowProblems(Problems):
    """Collects what is wrong with the rows of a sheet."""

    def __init__(self) -> None:
        super().__init__({})
        self.rows: dict[Hashable, _Row] = {}
        self.said: list[RowProblem] = []

    def add(self, path: Path, message: str) -> None:
        """Note a problem of a row (its table, its key or number, perhaps a column). Raises _Full."""
        row = self.rows[path[1]]
        column = str(path[2]) if len(path) > 2 else next(iter(row.cells))
        self.note(RowProblem(line=row.line, column=column, value=row.cells.get(column, ""), message=message))

    def note(self, problem: RowProblem) -> None:
        """Note a problem. Raises _Full."""
        if len(self.said) >= PROBLEMS_MAX:
            raise _Full
        self.said.append(problem)


class _RowEntry(Entry):
    """One row of a sheet, read by the same readers as a table of the registry file; an empty cell is left out."""

    def has(self, name: str) -> bool:
        return bool(self._table.get(name, ""))

    def text(self, name: str, default: str | None = None, *, pattern: str = "") -> str:
        value = super().text(name, default, pattern=pattern)
        if ROUNDED.fullmatch(value):
            self.problem(name, f"{value!r} was rounded by the spreadsheet: format the column as text and type it again")
        return value

    def reference(self, name: str, known: Any, what: str) -> str:
        value = self.text(name)
        if value and value not in known:
            self.problem(name, f"{value!r} is no {what} of the registry: enter it there first, or correct it here")
        return value

    def end(self) -> None:
        """Leave the columns to the heading's check."""

    def _value(self, name: str, kind: type[Any], form: str, default: Any) -> Any:
        cell = self._table.get(name, "")
        if not cell and kind is not bool:
            if default is None:
                self.problem(name, f"is empty: write {form_of(kind, form)}")
            return default
        try:
            return read_cell(cell, kind)
        except ValueError:
            self.problem(name, f"{cell!r} is not {form_of(kind, form)}")
            return default


def parse_sheet(raw: bytes, kind: Kind, known: Registry) -> Registry:
    """Read a sheet into the part of a registry that it speaks of; `known` is what it may name. Raises SheetError."""
    text = _decode(raw)
    problems = _RowProblems()
    part = Registry()
    try:
        rows = _rows(text, kind, problems)
        part = _READ[kind](rows, known, problems)
    except _Full:
        end = f"there are more than {PROBLEMS_MAX} problems: mend these first"
        problems.said.append(RowProblem(line=problems.said[-1].line, column="", value="", message=end))
    if problems.said:
        raise SheetError(problems.said)
    return part


def write_sheet(kind: Kind, registry: Registry) -> str:
    """Write a part of a registry as a sheet, with a heading; what `parse_sheet` reads back to the same."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS[kind])
    entries: Sequence[Any] = getattr(registry, kind.value)
    for entry in entries:
        writer.writerow([armed(written(getattr(entry, _FIELDS.get(name, name)))) for name in COLUMNS[kind]])
    return out.getvalue()


def _decode(raw: bytes) -> str:
    if len(raw) > BYTES_MAX:
        raise _wrong(f"has {len(raw)} bytes, at most {BYTES_MAX}: split it")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _wrong("is UTF-16: save it as 'CSV UTF-8' or as 'CSV'")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise _wrong(f"byte {exc.start} is neither UTF-8 nor GB18030: save it as 'CSV UTF-8'", line=line) from exc


def _wrong(message: str, *, line: int = 1) -> SheetError:
    return SheetError([RowProblem(line=line, column="file", value="", message=message)])


def _rows(text: str, kind: Kind, problems: _RowProblems) -> list[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[_Row] = []
    try:
        heading = [cell.strip() for cell in next(reader, [])]
        _check_heading(heading, kind)
        end = reader.line_num
        for cells in reader:
            line, end = end + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(heading):
                message = (
                    f"has {len(cells)} cells, the heading {len(heading)}: a comma in a text needs quotes around it"
                )
                problems.note(RowProblem(line=line, column="row", value="", message=message))
                continue
            if len(found) >= ROWS_MAX:
                raise _wrong(f"has more than {ROWS_MAX} rows: split it", line=line)
            values = (disarmed(cell.strip()) for cell in cells)
            found.append(_Row(line=line, cells=dict(zip(heading, values, strict=True))))
    except csv.Error as exc:
        raise _wrong(f"is no CSV there: {exc}", line=max(1, reader.line_num)) from exc
    return found


def _check_heading(heading: Sequence[str], kind: Kind) -> None:
    wanted = COLUMNS[kind]
    said = [f"column {name!r} is missing: add it, its cells may be empty" for name in wanted if name not in heading]
    said += [f"{name!r} is no column of {kind}: take it out" for name in heading if name not in wanted]
    said += [f"column {name!r} stands there twice" for name in wanted if heading.count(name) > 1]
    if len(heading) == 1 and re.search(r"[;\t]", heading[0]):
        said = ["the cells are not parted by commas: save it as 'CSV (comma delimited)' or 'CSV UTF-8'"]
    if said:
        value = ",".join(heading)[:200]
        raise SheetError([RowProblem(line=1, column="heading", value=value, message=message) for message in said])


def _keyed(rows: Sequence[_Row], kind: Kind, problems: _RowProblems) -> list[tuple[str, _RowEntry]]:
    entries = []
    for row in rows:
        key = row.cells["key"]
        first = problems.rows.get(key)
        problems.rows[row.line if first else key] = row
        entry = _RowEntry((_KEYED[kind], row.line if first else key), row.cells, problems)
        if first:
            entry.problem("key", f"{key!r} stands in line {first.line} already: keep one of them")
        entries.append((key, entry))
    return entries


def _keys(known: Registry) -> Keys:
    return Keys(
        organisations=frozenset(each.key for each in known.organisations),
        people=frozenset(each.key for each in known.people),
        family_doctors=frozenset(each.key for each in known.people if each.role is PersonRole.FAMILY_DOCTOR),
        patients=frozenset(each.key for each in known.patients),
        gateways=frozenset(each.key for each in known.gateways),
        devices=frozenset(each.key for each in known.devices),
        teams=frozenset(each.key for each in known.teams),
        helpers=frozenset(each.key for each in known.people if each.role is PersonRole.HELPER),
    )


def _read_patients(rows: Sequence[_Row], known: Registry, problems: _RowProblems) -> Registry:
    keys = _keys(known)
    patients = tuple(read_patient(key, entry, keys) for key, entry in _keyed(rows, Kind.PATIENTS, problems))
    check_teams(patients, {team.key: team.family_doctor for team in known.teams}, problems)
    return Registry(patients=patients)


def _read_people(rows: Sequence[_Row], known: Registry, problems: _RowProblems) -> Registry:
    keys = _keys(known)
    return Registry(people=tuple(read_person(key, entry, keys) for key, entry in _keyed(rows, Kind.PEOPLE, problems)))


def _read_devices(rows: Sequence[_Row], known: Registry, problems: _RowProblems) -> Registry:
    keys = _keys(known)
    devices = tuple(read_device(key, entry, keys) for key, entry in _keyed(rows, Kind.DEVICES, problems))
    return Registry(devices=devices)


def _read_bindings(rows: Sequence[_Row], known: Registry, problems: _RowProblems) -> Registry:
    """Read who wears what: of each device that the sheet names, all there is."""
    keys = _keys(known)
    problems.rows.update(enumerate(rows))
    entries = [_RowEntry(("binding", index), row.cells, problems) for index, row in enumerate(rows)]
    bindings = tuple(read_binding(entry, keys) for entry in entries)
    if not problems.said:
        check_overlaps(bindings, problems)
        check_shared(bindings, frozenset(each.key for each in known.devices if each.shared), problems)
    return Registry(bindings=bindings)


def _read_teams(rows: Sequence[_Row], known: Registry, problems: _RowProblems) -> Registry:
    """Read who is in the teams that the sheet names, all of them; a team's doctor stays its patients'."""
    keys = _keys(known)
    teams = tuple(read_team(key, entry, keys) for key, entry in _keyed(rows, Kind.TEAMS, problems))
    for team in teams:
        for patient in known.patients:
            if patient.team == team.key and patient.family_doctor != team.family_doctor:
                message = f"the team's patient {patient.key} has the family doctor {patient.family_doctor!r}"
                problems.add(("team", team.key, "family_doctor"), message)
                break
    return Registry(teams=teams)


_READ: dict[Kind, Callable[[Sequence[_Row], Registry, _RowProblems], Registry]] = {
    Kind.PATIENTS: _read_patients,
    Kind.PEOPLE: _read_people,
    Kind.DEVICES: _read_devices,
    Kind.BINDINGS: _read_bindings,
    Kind.TEAMS: _read_teams,
}
