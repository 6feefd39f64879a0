"""The way to the database: one short connection a request, and statements by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row, dict_row

from care.sql import load_queries

QUERIES = load_queries("dashboards")
CONNECT_TIMEOUT_S = 5

Connection = psycopg.Connection[Any]
T = TypeVar("T")


@contextmanager
def connect(dsn: str) -> Iterator[Connection]:
    """Open a connection for one request. Each statement commits by itself; alerting's acts are transactions."""
    with psycopg.connect(
        dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="hearthwatch console"
    ) as connection:
        yield connection


def rows(connection: Connection, kind: type[T], query: str, **values: object) -> list[T]:
    """Run a statement of queries.sql and give its rows as values of a class."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(QUERIES[query], values).fetchall()


def records(connection: Connection, query: str, **values: object) -> list[dict[str, Any]]:
    """Run a statement of queries.sql and give its rows by column name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(QUERIES[query], values).fetchall()


def execute(connection: Connection, query: str, **values: object) -> None:
    """Run a statement of queries.sql that gives no rows."""
    connection.execute(QUERIES[query], values)
