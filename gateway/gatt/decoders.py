"""The table of decoders: characteristic UUID -> bytes to meaning; and of profiles: service -> what to subscribe."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.gatt import (
    battery,
    blood_pressure,
    current_time,
    device_information,
    glucose,
    glucose_context,
    heart_rate,
    pulse_oximeter,
    record_access,
    thermometer,
    weight,
)
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.gatt.kind import Kind

Decoder = Callable[[bytes], Decoded]

DECODERS: dict[str, Decoder] = {
    pulse_oximeter.CONTINUOUS_UUID: pulse_oximeter.decode_continuous,
    pulse_oximeter.SPOT_CHECK_UUID: pulse_oximeter.decode_spot_check,
    pulse_oximeter.FEATURES_UUID: pulse_oximeter.decode_features,
    thermometer.MEASUREMENT_UUID: thermometer.decode_measurement,
    thermometer.INTERMEDIATE_UUID: thermometer.decode_intermediate,
    blood_pressure.MEASUREMENT_UUID: blood_pressure.decode_measurement,
    blood_pressure.CUFF_PRESSURE_UUID: blood_pressure.decode_cuff_pressure,
    glucose.MEASUREMENT_UUID: glucose.decode_measurement,
    glucose_context.CONTEXT_UUID: glucose_context.decode_context,
    weight.MEASUREMENT_UUID: weight.decode_measurement,
    heart_rate.MEASUREMENT_UUID: heart_rate.decode_measurement,
    record_access.CONTROL_POINT_UUID: record_access.decode_control_point,
    battery.LEVEL_UUID: battery.decode_level,
    current_time.CURRENT_TIME_UUID: current_time.decode_current_time,
    current_time.DATE_TIME_UUID: current_time.decode_date_time,
    **{uuid: device_information.decoder_of(uuid) for uuid in device_information.STRINGS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A health service that the gateway reads; `streams` says that it notifies all the time while worn."""

    name: str
    kind: Kind
    subscribe: tuple[str, ...]
    streams: frozenset[str] = frozenset()


# In the order in which a device of several services is named: an oximeter that also tells the heart rate is an
# oximeter. A control point stands behind what it makes speak: it is written to once both are listened to.
PROFILES: dict[str, Profile] = {
    "1822": Profile(
        name="pulse_oximeter",
        kind=Kind.OXIMETER,
        subscribe=(
            pulse_oximeter.CONTINUOUS_UUID,
            pulse_oximeter.SPOT_CHECK_UUID,
            record_access.CONTROL_POINT_UUID,
        ),
        streams=frozenset({pulse_oximeter.CONTINUOUS_UUID}),
    ),
    "1809": Profile(
        name="thermometer",
        kind=Kind.THERMOMETER,
        subscribe=(thermometer.MEASUREMENT_UUID, thermometer.INTERMEDIATE_UUID),
    ),
    "1810": Profile(
        name="blood_pressure",
        kind=Kind.CUFF,
        subscribe=(blood_pressure.MEASUREMENT_UUID,),
    ),
    "1808": Profile(
        name="glucose",
        kind=Kind.GLUCOSE_METER,
        subscribe=(glucose.MEASUREMENT_UUID, glucose_context.CONTEXT_UUID, record_access.CONTROL_POINT_UUID),
    ),
    "181d": Profile(
        name="weight_scale",
        kind=Kind.SCALE,
        subscribe=(weight.MEASUREMENT_UUID,),
    ),
    "180d": Profile(
        name="heart_rate",
        kind=Kind.WEARABLE,
        subscribe=(heart_rate.MEASUREMENT_UUID,),
        streams=frozenset({heart_rate.MEASUREMENT_UUID}),
    ),
}


def kind_of(services: Iterable[str]) -> Kind | None:
    """Say what a device is by its services (short UUIDs); None where none of them is a health profile."""
    offered = set(services)
    return next((profile.kind for uuid, profile in PROFILES.items() if uuid in offered), None)


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
