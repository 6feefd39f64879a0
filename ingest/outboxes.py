"""The accounts of outboxes: what of a batch was taken before, and what it adds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import psycopg

from care.sql import load_queries
from ingest import account
from ingest.feed import Rows
from ingest.screening import Incoming

_QUERIES = load_queries("ingest")


def take_fresh(
    connection: psycopg.Connection[Any], messages: Sequence[Incoming], readings: Rows, received_at: datetime | None
) -> Rows:
    """Lock the outboxes' accounts, give the rows not taken before (each once), and enter them as taken."""
    gateway_of: dict[UUID, str] = {}
    for message in messages:
        gateway_of.setdefault(message.decoded.header.outbox_id, message.gateway_id)
    outboxes = sorted(gateway_of)
    connection.execute(
        _QUERIES["open_accounts"],
        {
            "outbox_ids": outboxes,
            "gateway_ids": [gateway_of[outbox] for outbox in outboxes],
            "received_at": received_at,
        },
    )
    taken = {
        outbox: [(part.lower, part.upper) for part in ranges]
        for outbox, ranges in connection.execute(_QUERIES["lock_accounts"], {"outbox_ids": outboxes})
    }
    place = {outbox: index for index, outbox in enumerate(outboxes)}
    outbox_of_row = np.array([place[m.decoded.header.outbox_id] for m in messages])[readings["message"]]
    fresh = account.first_seen(outbox_of_row, readings["row_no"])
    added: dict[UUID, str] = {}
    for outbox, index in place.items():
        mine = np.flatnonzero(outbox_of_row == index)
        fresh[mine] &= ~account.contains(taken[outbox], readings["row_no"][mine])
        ranges = account.runs(readings["row_no"][mine][fresh[mine]])
        if ranges:
            added[outbox] = account.literal(ranges)
    if added:
        connection.execute(
            _QUERIES["take_rows"],
            {"outbox_ids": list(added), "taken": list(added.values()), "received_at": received_at},
        )
    return readings[fresh]
