"""Whose the outboxes are, and their accounts: what of a batch was taken before, and what it adds.

An outbox is the first registered gateway's that sends from it. What another gateway sends from it (its file was
copied) is put aside as foreign_outbox, and is acknowledged to that gateway: the rows lie in `rejected`, each once,
however often they are sent, because an account is kept for each outbox and gateway. So the copy's rows never count as
taken on the first gateway's account, nor the first's on the copy's. An unregistered gateway has its own account too,
and never an outbox.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import psycopg

from care.sql import load_queries
from ingest import account
from ingest.account import Range
from ingest.feed import Rows
from ingest.judging.screening import Incoming

_QUERIES = load_queries("ingest")
_Account = tuple[UUID, str]
"""An outbox and the gateway that sends from it."""


def owners_of(
    connection: psycopg.Connection[Any], messages: Sequence[Incoming], gateways: Collection[str]
) -> Mapping[UUID, str]:
    """Say which gateway each message's outbox belongs to; one that is nobody's goes to the first registered sender."""
    claims: dict[UUID, str] = {}
    for message in messages:
        if message.gateway_id in gateways:
            claims.setdefault(message.decoded.header.outbox_id, message.gateway_id)
    connection.execute(_QUERIES["claim_outboxes"], _keys(claims.items()))
    outboxes = list({message.decoded.header.outbox_id for message in messages})
    return dict(connection.execute(_QUERIES["owners"], {"outbox_ids": outboxes}).fetchall())


def take_fresh(
    connection: psycopg.Connection[Any], messages: Sequence[Incoming], readings: Rows, received_at: datetime | None
) -> Rows:
    """Lock the accounts, give the rows not taken before (each once), and enter them as taken."""
    account_of = [(message.decoded.header.outbox_id, message.gateway_id) for message in messages]
    accounts = _accounts_of(messages)
    connection.execute(_QUERIES["open_accounts"], {**_keys(accounts), "received_at": received_at})
    taken = {
        (outbox, gateway): account.parsed(ranges)
        for outbox, gateway, ranges in connection.execute(_QUERIES["lock_accounts"], _keys(accounts))
    }
    is_fresh = np.ones(len(readings), bool)
    added: dict[_Account, list[Range]] = {}
    at = 0
    for key, message in zip(account_of, messages, strict=True):
        first = message.decoded.header.first_row
        rows = (first, first + message.decoded.row_count)
        fresh = account.outside(rows, taken[key])
        if fresh != [rows]:
            is_fresh[at : at + message.decoded.row_count] = False
            for begin, end in fresh:
                is_fresh[at + begin - first : at + end - first] = True
        at += message.decoded.row_count
        if fresh:
            added.setdefault(key, []).extend(fresh)
            taken[key] = account.merged([*taken[key], *fresh])
    if added:
        literals = [account.literal(account.merged(ranges)) for ranges in added.values()]
        connection.execute(_QUERIES["take_rows"], {**_keys(added), "taken": literals, "received_at": received_at})
    return readings if is_fresh.all() else readings.compress(is_fresh)


def lock_accounts(connection: psycopg.Connection[Any], messages: Sequence[Incoming]) -> None:
    """Lock the accounts of these messages, which are there, in the order of all writers."""
    connection.execute(_QUERIES["lock_accounts"], _keys(_accounts_of(messages)))


def count_repeated(connection: psycopg.Connection[Any], messages: Sequence[Incoming], message: Iterable[int]) -> None:
    """Enter rows of take_fresh that equal what is stored, each given by the number of its message."""
    repeated = Counter((messages[at].decoded.header.outbox_id, messages[at].gateway_id) for at in message)
    if repeated:
        connection.execute(_QUERIES["add_repeated"], {**_keys(repeated), "repeated": list(repeated.values())})


def _accounts_of(messages: Iterable[Incoming]) -> list[_Account]:
    """Give each account once, as the database sorts them."""
    accounts = {(message.decoded.header.outbox_id, message.gateway_id) for message in messages}
    return sorted(accounts, key=lambda key: (key[0].int, key[1]))


def _keys(accounts: Iterable[_Account]) -> dict[str, Any]:
    pairs = list(accounts)
    return {"outbox_ids": [outbox for outbox, _ in pairs], "gateway_ids": [gateway for _, gateway in pairs]}
