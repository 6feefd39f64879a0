"""What became of the readings that gateways accepted, read from the database under one's own scope."""

from dataclasses import dataclass
from datetime import datetime

from dashboards.database import Connection, rows
from dashboards.scope import Scope

GATEWAYS_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """accepted = stored + repeated + rejected + thinned + on_the_way + lost (docs/missing.md)."""

    accepted: int
    stored: int
    repeated: int
    rejected: int
    thinned: int
    on_the_way: int
    lost: int
    unexplained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAccount(Counts):
    """One gateway's; `reasons` are what of its readings is refused now, by reason."""

    gateway_id: str
    place: str
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    said_at: datetime | None
    lost_since: datetime | None
    waiting_since: datetime | None
    reasons: dict[str, int]


def accounts(connection: Connection, scope: Scope) -> list[GatewayAccount]:
    """Give the gateways in scope, at most `GATEWAYS_MOST`, those with losses first."""
    return rows(connection, GatewayAccount, "accounts", organisations=scope, most=GATEWAYS_MOST)


def total(connection: Connection, scope: Scope) -> Counts:
    """Add up all gateways in scope."""
    return rows(connection, Counts, "accounts_total", organisations=scope)[0]
