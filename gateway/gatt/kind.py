"""What a device is to the registry: each is claimed, shown and looked after as one of these."""

from enum import StrEnum


class Kind(StrEnum):
    """What a device measures with."""

    OXIMETER = "oximeter"
    THERMOMETER = "thermometer"
    CUFF = "cuff"
    GLUCOSE_METER = "glucose_meter"
    WEARABLE = "wearable"
    SCALE = "scale"
