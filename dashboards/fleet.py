"""Gateways and devices as the screens show them, read from the database under one's own scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboards.database import Connection, records, rows
from dashboards.gateways import ClaimRow, DeviceRow, GatewayCard, GatewayRow, Standing, addresses_of, card_of
from dashboards.heartbeat import FRESH_S_MAX, FRESH_S_MIN, HEARTBEAT_S, HEARTBEATS_MISSED
from dashboards.scope import Scope
from dashboards.senders import Sender, SenderRow, TokenRow, senders_of

GATEWAYS_MOST = 100
CANDIDATES_MOST = 12
LATELY = timedelta(hours=24)
_JUDGED_BY = {
    "beats": HEARTBEATS_MISSED,
    "heartbeat_s": HEARTBEAT_S,
    "fresh_s_min": FRESH_S_MIN,
    "fresh_s_max": FRESH_S_MAX,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A patient who may be given a device, and the kinds of device that they wear."""

    key: str
    name: str
    initials: str
    bed: str
    organisation_name: str
    organisation_name_en: str
    wears: list[str]


def fleet(connection: Connection, scope: Scope, now: datetime, *, wanted: str = "") -> list[GatewayCard]:
    """Give the gateways in scope, at most `GATEWAYS_MOST`, those that are not there first."""
    return _cards(connection, scope, now, _rows(connection, scope, now, wanted=wanted))


def gateway_in_scope(connection: Connection, scope: Scope, now: datetime, gateway_id: str) -> GatewayCard | None:
    """Give one gateway if in scope."""
    found = _cards(connection, scope, now, _rows(connection, scope, now, gateway_id=gateway_id))
    return found[0] if found else None


def senders(connection: Connection, cards: Sequence[GatewayCard], now: datetime) -> dict[str, Sender]:
    """Give what came over HTTP for these gateways, by gateway; nothing for those that never sent that way."""
    gateways = [card.row.gateway_id for card in cards]
    found = rows(connection, SenderRow, "fleet_senders", gateways=gateways, since=now - LATELY)
    return senders_of(found, rows(connection, TokenRow, "fleet_tokens", gateways=gateways))


def counts(connection: Connection, scope: Scope, now: datetime) -> dict[Standing, int]:
    """Count the gateways in scope by how they stand."""
    counted = records(connection, "fleet_counts", organisations=scope, now=now, **_JUDGED_BY)[0]
    return {standing: counted[standing.value] for standing in Standing}


def candidates(
    connection: Connection, scope: Scope, now: datetime, *, wanted: str, organisation_id: int
) -> list[Candidate]:
    """Give patients in scope whose name, bed or key holds what was typed, the gateway's own organisation first."""
    return rows(
        connection,
        Candidate,
        "wearers",
        organisations=scope,
        now=now,
        wanted=wanted.strip(),
        organisation_id=organisation_id,
        most=CANDIDATES_MOST,
    )


def _rows(
    connection: Connection, scope: Scope, now: datetime, *, wanted: str = "", gateway_id: str | None = None
) -> list[GatewayRow]:
    return rows(
        connection,
        GatewayRow,
        "fleet",
        organisations=scope,
        wanted=wanted.strip(),
        gateway_id=gateway_id,
        now=now,
        **_JUDGED_BY,
        most=GATEWAYS_MOST,
    )


def _cards(connection: Connection, scope: Scope, now: datetime, found: Sequence[GatewayRow]) -> list[GatewayCard]:
    claims = rows(connection, ClaimRow, "fleet_claims", gateways=[row.gateway_id for row in found])
    devices = rows(connection, DeviceRow, "fleet_devices", devices=addresses_of(found, claims), now=now)
    known = {device.device_key: device for device in devices}
    return [
        card_of(row, [claim for claim in claims if claim.gateway_id == row.gateway_id], known, scope=scope, now=now)
        for row in found
    ]
