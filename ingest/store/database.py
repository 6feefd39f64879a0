"""One connection to the database: opened when it is needed, dropped when it is in doubt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

from ingest.store.storing import Connection, prepare

STATEMENT_S_MAX = 60
LOCK_S_MAX = 10
CONNECT_S_MAX = 5
CHANNEL = "claim"
"""What is listened to: care's word that claims have changed."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a connection is held. `listens` costs memory where nobody asks what was called."""

    name: str = "hearthwatch-ingest"
    connect_s_max: int = CONNECT_S_MAX
    statement_s_max: int = STATEMENT_S_MAX
    listens: bool = True


class Database:
    """Runs work on a prepared connection; every error drops the connection unless it is surely sound."""

    def __init__(self, dsn: str, manner: Manner = Manner()) -> None:
        self._dsn = dsn
        self._manner = manner
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
        # A lock is waited for less long than a statement: a message must not be suspected of being too slow for it.
        statement_ms = self._manner.statement_s_max * 1000
        lock_ms = min(LOCK_S_MAX * 1000, statement_ms // 2)
        connection: psycopg.Connection[Any] = psycopg.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=self._manner.connect_s_max,
            application_name=self._manner.name,
            options=f"-c statement_timeout={statement_ms} -c lock_timeout={lock_ms} -c timezone=UTC",
            # A network that has gone silent is noticed within half a minute; by itself TCP would wait for hours.
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=25_000,
        )
        try:
            prepare(connection)
            if self._manner.listens:
                connection.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error:
            connection.close()
            raise
        self._connection, self._is_new = connection, True
        return connection
