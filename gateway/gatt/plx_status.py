"""The tables of PLX Measurement Status and Device and Sensor Status: bit -> name, and what it does to trust.

CLINICAL rule: a low value with a bad bit never vanishes. INVALID and QUESTIONABLE keep the number; only a number
that can not be one (NaN, 0 %, over 100 %) is taken away, and that is not decided here.
"""

from gateway.gatt.decoded import Finding
from gateway.gatt.status_bits import StatusBit
from gateway.gatt.status_bits import status_bit as _bit
from vitals.quality import Quality, Reason

# Bits 0-4 are reserved and ignored.
MEASUREMENT_STATUS: dict[int, StatusBit] = {
    5: _bit("measurement_ongoing", Quality.PROVISIONAL, Reason.ONGOING),
    6: _bit("early_estimate", Quality.PROVISIONAL, Reason.EARLY_ESTIMATE),
    7: _bit("validated"),
    8: _bit("fully_qualified"),
    9: _bit("from_storage"),  # its time decides: see STORED_WITHOUT_TIME
    10: _bit("demonstration", Quality.INVALID, Reason.DEMO),
    11: _bit("testing", Quality.INVALID, Reason.TESTING),
    12: _bit("calibration_ongoing", Quality.INVALID, Reason.CALIBRATING),
    13: _bit("measurement_unavailable", Quality.INVALID, Reason.UNAVAILABLE),
    14: _bit("questionable_measurement", Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE),
    15: _bit("invalid_measurement", Quality.INVALID, Reason.DEVICE_INVALID),
}

# Bits 16-23 are reserved and ignored.
SENSOR_STATUS: dict[int, StatusBit] = {
    0: _bit("extended_display_update_ongoing", Quality.PROVISIONAL, Reason.ONGOING),
    1: _bit("equipment_malfunction", Quality.INVALID, Reason.SENSOR_FAULT),
    2: _bit("signal_processing_irregularity", Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE),
    3: _bit("inadequate_signal", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    4: _bit("poor_signal", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    5: _bit("low_perfusion", Quality.QUESTIONABLE, Reason.LOW_PERFUSION),
    6: _bit("erratic_signal", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    7: _bit("non_pulsatile_signal", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    8: _bit("questionable_pulse", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    9: _bit("signal_analysis_ongoing", Quality.PROVISIONAL, Reason.ONGOING),
    10: _bit("sensor_interference", Quality.QUESTIONABLE, Reason.INTERFERENCE),
    11: _bit("sensor_unconnected_to_user", Quality.INVALID, Reason.FINGER_OUT),
    12: _bit("unknown_sensor", Quality.QUESTIONABLE, Reason.SENSOR_FAULT),
    13: _bit("sensor_displaced", Quality.INVALID, Reason.FINGER_OUT),
    14: _bit("sensor_malfunctioning", Quality.INVALID, Reason.SENSOR_FAULT),
    15: _bit("sensor_disconnected", Quality.INVALID, Reason.FINGER_OUT),
}

# A stream is "ongoing" for as long as it runs: where the device itself calls a value validated or fully qualified,
# that word counts, and the two bits that only say "not finished" take nothing away.
_SETTLED = 1 << 7 | 1 << 8
_UNSETTLED = 1 << 5 | 1 << 6

FROM_STORAGE_BIT = 9
STORED_WITHOUT_TIME = Finding(quality=Quality.INVALID, reason=Reason.UNKNOWN)
LOW_PERFUSION = Finding(quality=Quality.QUESTIONABLE, reason=Reason.LOW_PERFUSION)
LOW_PERFUSION_BELOW_PERCENT = 0.3


def settled(word: int) -> int:
    """Give a Measurement Status without "ongoing" and "early estimate" where the device vouches for the value."""
    return word & ~_UNSETTLED if word & _SETTLED else word
