"""How late time-driven work believes it to be when it lets go of something: a day past the newest reading at most."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import psycopg

from care.sql import load_queries
from ingest.turn import Turn

QUIET = timedelta(days=1)
"""So long without readings is believed; longer may be a clock that is ahead, and deleting can not be undone."""

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "tending.sql")
_P = ParamSpec("_P")
_Turning = Callable[Concatenate[Connection, datetime, _P], Turn]


def within_the_data(turn: _Turning[_P]) -> _Turning[_P]:
    """Give the turn the earlier of `now` and QUIET after the newest reading came; say so where that holds it back.

    Both are clinical time: a demo's runs faster than the server's clock, which is never asked.
    """

    @wraps(turn)
    def held(connection: Connection, now: datetime, /, *args: _P.args, **kwargs: _P.kwargs) -> Turn:
        newest = newest_received(connection)
        if newest is None:
            return Turn(detail="the intake log is empty: nothing says how late it is, so everything stays")
        believed = min(now, newest + QUIET)
        found = turn(connection, believed, *args, **kwargs)
        return found if believed == now else replace(found, detail=f"{_ahead(now - newest)}: {found.detail}")

    return held


def newest_received(connection: Connection) -> datetime | None:
    """Read when the newest reading of the intake log came; None: there is none."""
    row = connection.execute(_QUERIES["newest_received"]).fetchone()
    return row[0] if row else None


def _ahead(gap: timedelta) -> str:
    days = round(gap / timedelta(days=1), 1)
    return f"the clock is {days:g} days ahead of the newest reading"
