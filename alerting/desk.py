"""One transaction's worth of context for whoever records: the connection, the profile, the clinical now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from json import dumps
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from alerting.profile.profile import Profile
from care.sql import load_queries

QUERIES = {
    **load_queries("alerting"),
    **load_queries("alerting", "technical.sql"),
    **load_queries("alerting", "referrals.sql"),
    **load_queries("alerting", "notices.sql"),
    **load_queries("alerting", "silences.sql"),
}
Connection = psycopg.Connection[Any]
"""A connection that gives named tuples; what a column holds is the query's business (queries.sql)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where episodes are written. `link` is the console's address, for notices. Every query may speak of `now`."""

    connection: Connection
    profile: Profile
    now: datetime
    link: str = ""

    def all(self, query: str, **values: Any) -> Sequence[Any]:
        """Run a named query and give its rows."""
        return self._execute(query, values).fetchall()

    def one(self, query: str, **values: Any) -> Any | None:
        """Run a named query and give its first row, if any."""
        return self._execute(query, values).fetchone()

    def write(self, query: str, rows: Sequence[dict[str, Any]], **values: Any) -> Sequence[Any]:
        """Run a named query over rows given together, one JSON value as `rows`; gives what it returns.

        A row costs a tenth of what it does by itself. Instants are given as such, JSON columns as they are.
        """
        if not rows:
            return []
        cursor = self._execute(query, values | {"rows": Jsonb(list(rows), dumps=_dumps)})
        return cursor.fetchall() if cursor.description else []

    def run(self, query: str, **values: Any) -> int:
        """Run a named query and say how many rows it touched."""
        return self._execute(query, values).rowcount

    def _execute(self, query: str, values: dict[str, Any]) -> psycopg.Cursor[Any]:
        cursor = self.connection.cursor(row_factory=namedtuple_row)
        return cursor.execute(QUERIES[query], {"now": self.now} | values)


_dumps = partial(dumps, default=str)


def connect(dsn: str, name: str, kind: type[Connection] = psycopg.Connection) -> Connection:
    """Open a connection as alerting uses it: explicit transactions, named rows, UTC, its name shown by the server."""
    return kind.connect(
        dsn,
        row_factory=namedtuple_row,
        autocommit=True,
        application_name=name,
        options="-c TimeZone=UTC",
    )


def instant(unix_ms: int) -> datetime:
    """Give Unix milliseconds as aware UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


def unix_ms(at: datetime) -> int:
    """Give an aware instant as Unix milliseconds."""
    return round(at.timestamp() * 1000)


def json(value: object) -> Jsonb:
    """Wrap a value for a jsonb column."""
    return Jsonb(value)
