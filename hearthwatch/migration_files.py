"""Migration files as values: parsing their blocks and deciding which are to be applied (core)."""

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

ROOMS = ("care", "ingest", "alerting", "dashboards")

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_MARKER = re.compile(r"--\s*hearthwatch:\s*(.*?)\s*")


class Edition(StrEnum):
    """What the database is: decided at its first migration, and kept."""

    TIMESCALE = "timescale"
    PLAIN = "plain"


class MigrationError(Exception):
    """The database cannot be brought to this version of the program."""


class BadMigrationFile(MigrationError):
    """A file in a schema folder is not a migration: its name, its number or a marker is wrong."""


class ChangedMigration(MigrationError):
    """A file was changed after it had been applied."""


class LateMigration(MigrationError):
    """A file was added below one that has been applied already: migrations go forward only."""


class DatabaseAhead(MigrationError):
    """The database has migrations that this version of the program does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of one room."""

    room: str
    number: int
    name: str
    sql: str
    sha256: str

    @property
    def label(self) -> str:
        """Answer how messages name it."""
        return f"{self.room}/schema/{self.number:04}_{self.name}.sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One row of schema_migration."""

    room: str
    number: int
    name: str
    sha256: str
    applied_at: datetime

    @property
    def label(self) -> str:
        """Answer how messages name it."""
        return f"{self.room}/schema/{self.number:04}_{self.name}.sql"


def parse(room: str, file_name: str, content: bytes) -> Migration:
    """Read one file; refuse a wrong name or marker."""
    match = _FILE_NAME.fullmatch(file_name)
    if match is None:
        raise BadMigrationFile(f"{room}/schema/{file_name}: a migration is named NNNN_what.sql")
    migration = Migration(
        room=room,
        number=int(match[1]),
        name=match[2],
        sql=content.decode(),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    for edition in Edition:
        statements(migration, edition)  # a wrong marker shows here, not in the middle of a site's upgrade
    return migration


def statements(migration: Migration, edition: Edition) -> str:
    """Answer the SQL of the blocks that run on this edition; line numbers stay those of the file."""
    block_runs = True
    lines = []
    for number, line in enumerate(migration.sql.splitlines(), start=1):
        match = _MARKER.fullmatch(line.strip())
        if match is None:
            lines.append(line if block_runs else "")
            continue
        lines.append("")
        if match[1] not in ("always", *(f"when {each}" for each in Edition)):
            raise BadMigrationFile(
                f"{migration.label} line {number}: {match[1]!r} is no marker; "
                "there are: when timescale, when plain, always"
            )
        block_runs = match[1] in ("always", f"when {edition}")
    return "\n".join(lines)


def in_order(migrations: Iterable[Migration]) -> list[Migration]:
    """Order by room, then number; refuse a number that is used twice."""
    ordered = sorted(migrations, key=lambda each: (ROOMS.index(each.room), each.number))
    for before, after in itertools.pairwise(ordered):
        if (before.room, before.number) == (after.room, after.number):
            raise BadMigrationFile(f"{before.label} and {after.label} have the same number")
    return ordered


def pending(migrations: Sequence[Migration], applied: Iterable[Applied]) -> list[Migration]:
    """Decide what is to be applied, in order; refuse a database that does not fit these files."""
    known = {(each.room, each.number): each for each in migrations}
    newest: defaultdict[str, int] = defaultdict(int)
    done = set()
    for row in applied:
        key = (row.room, row.number)
        file = known.get(key)
        if file is None:
            raise DatabaseAhead(f"{row.label} was applied at {row.applied_at:%F %T %Z} and is not known here")
        if file.sha256 != row.sha256:
            raise ChangedMigration(
                f"{file.label} was changed after it had been applied at {row.applied_at:%F %T %Z}: "
                "restore it and put the change into a new file"
            )
        done.add(key)
        newest[row.room] = max(newest[row.room], row.number)
    todo = [each for each in migrations if (each.room, each.number) not in done]
    for file in todo:
        if file.number < newest[file.room]:
            raise LateMigration(f"{file.label} is below {newest[file.room]:04}, which has been applied: renumber it")
    return todo
