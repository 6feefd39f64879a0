"""Ingest's one connection to the database: opened when it is needed, dropped when it is in doubt."""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from ingest.storing import Connection, prepare

STATEMENT_S_MAX = 60
CONNECT_S_MAX = 5
CHANNEL = "claim"
"""What is listened to: care's word that claims have changed."""

_Result = TypeVar("_Result")


class Database:
    """Runs work on a prepared connection; every error drops the connection unless it is surely sound."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._is_new = False

    def run(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do the work, connecting first where needed. Raises psycopg.Error and whatever the work raises."""
        connection = self._connection or self._open()
        try:
            return work(connection)
        except (psycopg.DataError, psycopg.IntegrityError):
            raise  # the data's fault: the session is sound
        except BaseException:
            self.close()
            raise

    def called(self) -> bool:
        """Say whether claims have changed since the last time, or may have as the connection is new. As `run`."""
        calls = self.run(lambda connection: len(list(connection.notifies(timeout=0))))
        is_new, self._is_new = self._is_new, False
        return is_new or calls > 0

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        connection: psycopg.Connection[Any] = psycopg.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=CONNECT_S_MAX,
            application_name="hearthwatch-ingest",
            options=f"-c statement_timeout={STATEMENT_S_MAX * 1000} -c timezone=UTC",
        )
        try:
            prepare(connection)
            connection.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error:
            connection.close()
            raise
        self._connection, self._is_new = connection, True
        return connection
