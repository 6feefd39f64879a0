"""The table of decoders: characteristic UUID -> bytes to meaning; and of profiles: service -> what to subscribe."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.gatt import battery, pulse_oximeter, thermometer
from gateway.gatt.decoded import Decoded, DecodeError

Decoder = Callable[[bytes], Decoded]

DECODERS: dict[str, Decoder] = {
    pulse_oximeter.CONTINUOUS_UUID: pulse_oximeter.decode_continuous,
    pulse_oximeter.SPOT_CHECK_UUID: pulse_oximeter.decode_spot_check,
    pulse_oximeter.FEATURES_UUID: pulse_oximeter.decode_features,
    thermometer.MEASUREMENT_UUID: thermometer.decode_measurement,
    thermometer.INTERMEDIATE_UUID: thermometer.decode_intermediate,
    battery.LEVEL_UUID: battery.decode_level,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A health service that the gateway reads; `streams` says that it notifies all the time while worn."""

    name: str
    subscribe: tuple[str, ...]
    streams: frozenset[str] = frozenset()


PROFILES: dict[str, Profile] = {
    "1822": Profile(
        name="pulse_oximeter",
        subscribe=(pulse_oximeter.CONTINUOUS_UUID, pulse_oximeter.SPOT_CHECK_UUID),
        streams=frozenset({pulse_oximeter.CONTINUOUS_UUID}),
    ),
    "1809": Profile(
        name="thermometer",
        subscribe=(thermometer.MEASUREMENT_UUID, thermometer.INTERMEDIATE_UUID),
    ),
}

_SIG_UUID = re.compile(r"(?:0x)?(?:0000)?([0-9a-f]{4})(?:-0000-1000-8000-00805f9b34fb)?")


def short_uuid(uuid: str) -> str:
    """Give a SIG UUID's four hex digits (2a5f, 0x2A5F and the 128-bit form alike), else the UUID in lower case."""
    match = _SIG_UUID.fullmatch(uuid.lower())
    return match[1] if match else uuid.lower()


def decode(uuid: str, payload: bytes) -> Decoded:
    """Read a characteristic's payload. Raises DecodeError, and nothing else, on any bytes and any UUID."""
    short = short_uuid(uuid)
    decoder = DECODERS.get(short)
    if decoder is None:
        raise DecodeError(short, 0, "no decoder for this characteristic")
    return decoder(payload)
