"""What a device says of itself on the air: advertising data and scan response (Core Supplement Part A 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bumble.core import UUID, AdvertisingData

LE_GENERAL_DISCOVERABLE = bytes([0x06])
BYTES_MAX = 31
_UUID_LISTS = {
    2: AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    16: AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Service UUIDs, a maker's data by company number, and data of services by their 16-bit UUID."""

    uuids: Sequence[UUID] = ()
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    service_data: Mapping[int, bytes] = field(default_factory=dict)


def advertising_data(said: Said) -> bytes:
    """Encode it; raise ValueError if it does not fit in 31 bytes."""
    structures = [(AdvertisingData.FLAGS, LE_GENERAL_DISCOVERABLE)]
    for width, kind in _UUID_LISTS.items():
        if listed := b"".join(bytes(uuid) for uuid in said.uuids if len(bytes(uuid)) == width):
            structures.append((kind, listed))
    for company, content in said.manufacturer_data.items():
        structures.append((AdvertisingData.MANUFACTURER_SPECIFIC_DATA, company.to_bytes(2, "little") + content))
    for number, content in said.service_data.items():
        structures.append((AdvertisingData.SERVICE_DATA_16_BIT_UUID, number.to_bytes(2, "little") + content))
    encoded = bytes(AdvertisingData(structures))
    if len(encoded) > BYTES_MAX:
        raise ValueError(f"an advertisement of {len(encoded)} bytes does not fit in {BYTES_MAX}: {encoded.hex()}")
    return encoded


def scan_response(name: str) -> bytes:
    """Encode a name, as much of it as fits."""
    return bytes(AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()[: BYTES_MAX - 2])]))
