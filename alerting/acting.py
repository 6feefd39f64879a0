"""What every act of a person begins with: the profile that alerting works under, a bounded note, a refusal."""

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from alerting.desk import QUERIES, Desk
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.profile import Profile

NOTE_CHARACTERS_MAX = 2000


class ActError(ValueError):
    """The act can not be done now; the message says why, in words a doctor reads."""


def acting_desk(connection: psycopg.Connection[Any], now: datetime, link: str = "") -> Desk:
    """Give what a person's act is written at. `link` is the console's address, for notices."""
    return Desk(connection=connection, profile=_profile(connection), now=now, link=link)


def _profile(connection: psycopg.Connection[Any]) -> Profile:
    """Read the profile that alerting last worked under; the one that ships where alerting never ran."""
    row = connection.cursor(row_factory=tuple_row).execute(QUERIES["newest_profile"]).fetchone()
    try:
        return parse_profile(row[0] if row else standard_adult())
    except ProfileError:  # written by another release: until alerting has started under this one
        return parse_profile(standard_adult())


def bounded(note: str) -> str:
    """Give a note without its outer blanks. Raises ActError where it is too long."""
    if len(note) > NOTE_CHARACTERS_MAX:
        raise ActError(f"a note has at most {NOTE_CHARACTERS_MAX} characters; this one has {len(note)}")
    return note.strip()
