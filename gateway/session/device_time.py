"""A device's clock on a link: held against ours, and set where it can be and ours is right."""

from datetime import datetime, tzinfo

import structlog

from gateway.bluetooth.link import Link, MustBond, Refused
from gateway.box.machine import Timekeeper
from gateway.clocks.device_clock import Verdict, decide, offset_s
from gateway.gatt.current_time import (
    CURRENT_TIME_UUID,
    DATE_TIME_UUID,
    UnwritableTime,
    decode_current_time,
    decode_date_time,
    encode_current_time,
    encode_date_time,
)
from gateway.gatt.decoded import DecodeError
from gateway.gatt.write import Write

_CLOCKS = {
    CURRENT_TIME_UUID: (decode_current_time, encode_current_time),
    DATE_TIME_UUID: (decode_date_time, encode_date_time),
}

log = structlog.get_logger()


async def read_offset_s(link: Link, timekeeper: Timekeeper, zone: tzinfo) -> float | None:
    """Read the device's clock and say how far it is ahead of ours; None where it shows none. Raises LinkError."""
    for uuid, (decode, _) in _CLOCKS.items():
        if link.offers(uuid, "read"):
            try:
                shown = decode(await link.read(uuid)).device_time
            except MustBond:
                raise
            except (DecodeError, Refused) as exc:
                log.info("clock not read", device=link.address, error=str(exc))
                continue
            if shown is not None:
                now = timekeeper.stamp()
                ahead_s = offset_s(shown, wall=now.wall, zone=zone)
                if now.synchronised and ahead_s is not None and decide(ahead_s) is not Verdict.OK:
                    log.warning(
                        "a device's clock is off", device=link.address, ahead_s=ahead_s, verdict=decide(ahead_s).value
                    )
                return ahead_s
    return None


async def set_clock(link: Link, timekeeper: Timekeeper, zone: tzinfo, *, is_needed: bool = False) -> bool:
    """Write our time where it can be written and is right; say whether the device took it. Raises LinkError.

    `is_needed`: the device gives nothing without it; then a clock that was right and is only kept is right enough. One
    that was never believed is not: it would be the time of all that the device measures until its next connection.
    """
    for uuid, (_, encode) in _CLOCKS.items():
        if not link.offers(uuid, "write", "write-without-response"):
            continue
        now = timekeeper.stamp()
        if now.synchronised or (is_needed and timekeeper.keeps_time):
            try:
                await link.write(Write(uuid=uuid, payload=encode(_local(now.wall, zone))))
            except (UnwritableTime, Refused) as exc:
                log.info("clock not set", device=link.address, error=str(exc))
                continue
            return True
        if is_needed:
            log.warning("it wants its clock set and ours is not believed: it keeps what it has", device=link.address)
    return False


def _local(wall: datetime, zone: tzinfo) -> datetime:
    return wall.astimezone(zone)
