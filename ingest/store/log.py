"""The door into the intake log: batches of any kind, numbered in the order of their commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from care.sql import load_queries
from ingest.feed import BatchKind

_QUERIES = load_queries("ingest")


def append(
    connection: psycopg.Connection[Any], kind: BatchKind, parts: Sequence[tuple[int, bytes]], *, received_at: datetime
) -> None:
    """Append a batch to each of these partitions (number, payload), each partition once; wakes who follows the log.

    It must be the last statement before the caller's commit: it takes the heads' locks, which all writers share, so
    that the numbers are in the order of the commits and a reader's cursor can not pass a batch that commits later.
    """
    if parts:
        connection.execute(
            _QUERIES["append_to_log"],
            {
                "partitions": [partition for partition, _ in parts],
                "payloads": [payload for _, payload in parts],
                "received_at": received_at,
                "kind": kind,
            },
        )
