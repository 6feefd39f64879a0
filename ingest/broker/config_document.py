"""The config document of a gateway: which devices it reads, as the registry's claims say (docs/wire-format.md)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from care.claims import CLAIMS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClaims:
    """All that a gateway is to read, and when that last changed; `drivers` stand in the order of `devices`."""

    gateway_id: str
    changed_at: datetime
    devices: Sequence[str]
    drivers: Sequence[str | None]


def config_document(claims: GatewayClaims) -> bytes:
    """Write the document: the same claims give the same bytes."""
    devices = [
        {"address": address, "driver": driver}
        for address, driver in list(zip(claims.devices, claims.drivers, strict=True))[:CLAIMS_MAX]
    ]
    document = {"issued_at": claims.changed_at.isoformat(timespec="milliseconds"), "devices": devices}
    return json.dumps(document, separators=(",", ":")).encode()
