"""How far a reading may be trusted, and why: quality and reason, each one small number on the wire."""

from enum import IntEnum


class Quality(IntEnum):
    """Trust in one reading. Only GOOD counts as coverage of a rule's window (ARCHITECTURE section 4)."""

    GOOD = 0
    PROVISIONAL = 1
    QUESTIONABLE = 2
    INVALID = 3


class Reason(IntEnum):
    """Why a reading is not plainly good. The numbers are wire format (0-63) and never change meaning."""

    NONE = 0
    # The device's own word: PLX Measurement Status and Device and Sensor Status, IEEE 11073 special values.
    ONGOING = 1
    EARLY_ESTIMATE = 2
    DEMO = 3
    TESTING = 4
    CALIBRATING = 5
    UNAVAILABLE = 6
    DEVICE_QUESTIONABLE = 7
    DEVICE_INVALID = 8
    FINGER_OUT = 9
    SENSOR_FAULT = 10
    POOR_SIGNAL = 11
    LOW_PERFUSION = 12
    INTERFERENCE = 13
    NOT_A_NUMBER = 14
    OUT_OF_DEVICE_RANGE = 15
    # Ours.
    IMPLAUSIBLE = 32
    CLOCK_AHEAD = 33
    UNKNOWN = 63
