"""What a database error means for a batch: wait, try again, or suspect the batch itself. A table, by SQLSTATE."""

from enum import StrEnum

import psycopg

from ingest.samples import Raced


class Trouble(StrEnum):
    """Why a batch was not stored. All but POISON are waited out with nothing acknowledged."""

    COLLISION = "collision"
    UNREACHABLE = "unreachable"
    NO_ROOM = "no_room"
    READ_ONLY = "read_only"
    NO_SCHEMA = "no_schema"
    NOT_ALLOWED = "not_allowed"
    POISON = "poison"


ADVICE: dict[Trouble, str] = {
    Trouble.COLLISION: "another writer was in the way; trying again",
    Trouble.UNREACHABLE: "the database can not be reached; waiting for it, nothing is acknowledged meanwhile",
    Trouble.NO_ROOM: "the database has no disk, memory or connections left; waiting for room",
    Trouble.READ_ONLY: "the database is read-only (a standby?); waiting for one that can be written",
    Trouble.NO_SCHEMA: "tables are missing: run 'hearthwatch db migrate'; waiting for it",
    Trouble.NOT_ALLOWED: "the database refuses this user or knows no such database; waiting for it to be mended",
    Trouble.POISON: "the database refuses this batch; looking for the guilty message",
}

# By whole SQLSTATE first, then by its class (two characters); none at all is a connection's trouble.
_BY_SQLSTATE: dict[str, Trouble] = {
    "25006": Trouble.READ_ONLY,
    "3D000": Trouble.NOT_ALLOWED,
    "3F000": Trouble.NO_SCHEMA,
    "40": Trouble.COLLISION,
    "42501": Trouble.NOT_ALLOWED,
    "42703": Trouble.NO_SCHEMA,
    "42883": Trouble.NO_SCHEMA,
    "42P01": Trouble.NO_SCHEMA,
    "53": Trouble.NO_ROOM,
    "55P03": Trouble.COLLISION,
    "57014": Trouble.COLLISION,
    "08": Trouble.UNREACHABLE,
    "28": Trouble.NOT_ALLOWED,
    "57": Trouble.UNREACHABLE,
    "58": Trouble.NO_ROOM,
}


def trouble_of(error: Exception) -> Trouble:
    """Say what an error raised while storing means; what is not known of is held against the batch."""
    if isinstance(error, Raced):
        return Trouble.COLLISION
    if not isinstance(error, psycopg.Error):
        return Trouble.POISON
    if error.sqlstate is None:
        connection_lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return Trouble.UNREACHABLE if connection_lost else Trouble.POISON
    return _BY_SQLSTATE.get(error.sqlstate) or _BY_SQLSTATE.get(error.sqlstate[:2], Trouble.POISON)
