"""Knows a finished measurement that is sent again: one measurement is one row, however often the device says it.

A thermometer or a spot oximeter sends its last measurement again until it is switched off, at each connection, and once
more out of its memory. It is the same where its time and its values are; without a believable time, where the payload
is and the last copy that counted came less than `WITHIN` ago: a worn thermometer that says the same number for an hour
measures all the while. What is not finished (a rising temperature) is never a repeat.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

from gateway.gatt.decoded import Decoded, Mode
from vitals.quality import Quality

WITHIN = timedelta(minutes=2)
CLOCK_BELIEVED_WITHIN = timedelta(days=400)
KNOWN_MAX = 4096


class Repeats:
    """The measurements last seen, in plain values: when each counted; at the bound the one unseen longest goes."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[object, ...], datetime] = OrderedDict()

    def is_repeat(self, decoded: Decoded, *, device: str, characteristic: str, payload: bytes, now: datetime) -> bool:
        """Say whether this measurement was here before, and remember it."""
        if not _is_finished(decoded):
            return False
        time = decoded.device_time
        is_timed = time is not None and abs(now.replace(tzinfo=None) - time) < CLOCK_BELIEVED_WITHIN
        mark: tuple[object, ...] = (
            (device, characteristic, time, *((m.signal, m.value, m.before_ms) for m in decoded.measurements))
            if is_timed
            else (device, characteristic, payload)
        )
        counted = self._seen.pop(mark, None)
        is_again = counted is not None and (is_timed or abs(now - counted) < WITHIN)
        self._seen[mark] = counted if counted is not None and is_again else now
        if len(self._seen) > KNOWN_MAX:
            self._seen.popitem(last=False)
        return is_again


def _is_finished(decoded: Decoded) -> bool:
    return (
        decoded.mode is Mode.SPOT
        and bool(decoded.measurements)
        and all(m.quality is not Quality.PROVISIONAL for m in decoded.measurements)
    )
