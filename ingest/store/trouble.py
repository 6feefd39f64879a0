"""What an error means for a batch: wait, try again, or suspect the batch itself. A table, by SQLSTATE.

Suspected is the data only where it can be at fault. A fault of the server or of this program held against the data
would put good live readings aside; so everything unknown waits, by name.
"""

from enum import StrEnum

import psycopg

from ingest.store.samples import Raced

RETRY_S_FIRST, RETRY_S_MAX = 0.05, 5.0
"""How long is waited before the next attempt; twice as long each time."""
COLLISIONS_MAX, COLLISIONS_MAX_ALONE = 3, 8
"""So many collisions (or statement timeouts) in a row are waited out: of a batch, and of one message
(some 6 s of collisions)."""


class Trouble(StrEnum):
    """Why a batch was not stored. All but POISON (and COLLISION without end) are waited out, nothing acknowledged."""

    COLLISION = "collision"
    LOCKED = "locked"
    UNREACHABLE = "unreachable"
    NO_ROOM = "no_room"
    READ_ONLY = "read_only"
    NO_SCHEMA = "no_schema"
    NOT_ALLOWED = "not_allowed"
    SERVER_FAULT = "server_fault"
    PROGRAM_FAULT = "program_fault"
    NO_MEMORY = "no_memory"
    POISON = "poison"


ADVICE: dict[Trouble, str] = {
    Trouble.COLLISION: "another writer was in the way; trying again",
    Trouble.LOCKED: "somebody holds a lock on our tables (pg_locks says who); waiting, nothing is acknowledged",
    Trouble.UNREACHABLE: "the database can not be reached; waiting for it, nothing is acknowledged meanwhile",
    Trouble.NO_ROOM: "the database has no disk, memory or connections left; waiting for room",
    Trouble.READ_ONLY: "the database is read-only (a standby?); waiting for one that can be written",
    Trouble.NO_SCHEMA: "tables are missing or of another version: run 'hearthwatch db migrate'; waiting for it",
    Trouble.NOT_ALLOWED: "the database refuses this user or knows no such database; waiting for it to be mended",
    Trouble.SERVER_FAULT: "the database reports a fault of its own: see its log; trying again, nothing is acknowledged",
    Trouble.PROGRAM_FAULT: "ingest itself is at fault, not the data: report it; trying again, nothing is acknowledged",
    Trouble.NO_MEMORY: "this process has no memory left; trying again, nothing is acknowledged",
    Trouble.POISON: "the database refuses this batch; looking for the guilty message",
}

# By whole SQLSTATE first, then by its class (two characters); all others are the server's fault.
_BY_SQLSTATE: dict[str, Trouble] = {
    "22": Trouble.POISON,
    "23": Trouble.POISON,
    "25006": Trouble.READ_ONLY,
    "3D000": Trouble.NOT_ALLOWED,
    "3F000": Trouble.NO_SCHEMA,
    "40": Trouble.COLLISION,
    "42": Trouble.NO_SCHEMA,
    "42501": Trouble.NOT_ALLOWED,
    "53": Trouble.NO_ROOM,
    "55P03": Trouble.LOCKED,
    "57014": Trouble.COLLISION,
    "08": Trouble.UNREACHABLE,
    "28": Trouble.NOT_ALLOWED,
    "57": Trouble.UNREACHABLE,
    "58": Trouble.NO_ROOM,
}


_WITHOUT_SQLSTATE: tuple[tuple[type[Exception], Trouble], ...] = (
    (Raced, Trouble.COLLISION),
    (psycopg.DataError, Trouble.POISON),
    (psycopg.OperationalError, Trouble.UNREACHABLE),
    (psycopg.InterfaceError, Trouble.UNREACHABLE),
    (ValueError, Trouble.POISON),
    (ArithmeticError, Trouble.POISON),
    (LookupError, Trouble.POISON),
    (MemoryError, Trouble.NO_MEMORY),
)
"""Errors of our own and of psycopg: values that can not be, and a connection's trouble; all others are our fault."""


def trouble_of(error: Exception) -> Trouble:
    """Say what an error raised while storing means."""
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        by_class = _BY_SQLSTATE.get(error.sqlstate[:2], Trouble.SERVER_FAULT)
        return _BY_SQLSTATE.get(error.sqlstate, by_class)
    return next((trouble for kind, trouble in _WITHOUT_SQLSTATE if isinstance(error, kind)), Trouble.PROGRAM_FAULT)
