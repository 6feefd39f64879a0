"""Battery Service 0x180F: Battery Level (2A19)."""

from gateway.gatt.decoded import Decoded, Mode, measure
from gateway.gatt.fields import Fields
from vitals.signals import Signal

LEVEL_UUID = "2a19"


def decode_level(payload: bytes) -> Decoded:
    """Read a battery level in percent; over 100 is kept without its number."""
    fields = Fields(LEVEL_UUID, payload)
    level = fields.unsigned("battery level", size_bytes=1)
    fields.end(more_announced=False)
    return Decoded(mode=Mode.SPOT, measurements=(measure(Signal.BATTERY, float(level)),))
