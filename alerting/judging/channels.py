"""Which of the feed's rows belong to which channel of the sustained rules."""

from typing import Any

import numpy as np
import numpy.typing as npt

from alerting.profile.profile import Channel, Trust
from ingest.feed import Rows
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS

QUALITIES = {
    Trust.GOOD: (Quality.GOOD,),
    Trust.QUESTIONABLE: tuple(Quality),
    Trust.WELLNESS: (Quality.GOOD,),
}
"""A value that is not good is questionable, however bad: what has a number may be a true fall (CLINICAL 3.5).

The good ones are judged beside them, as of nothing to question: so it needs more than now and then a doubtful value,
and it ends when the probe sits well again.
"""

EVIDENT = QUALITIES | {Trust.QUESTIONABLE: tuple(quality for quality in Quality if quality is not Quality.GOOD)}
"""Of which samples an alarm of a channel shows the worst."""

NOBODYS = (Reason.FINGER_OUT, Reason.SENSOR_FAULT, Reason.DEMO, Reason.TESTING, Reason.CALIBRATING)
"""Reasons by which a value is no doubtful one of the patient, but none of his at all: silence, another rule's."""

NOTHING_TO_QUESTION = 32766
"""As what a good value counts beside questionable ones: such rules look for low values only.

One less than what an int16 holds: that is the edge of the engine's band (`alerting/engine/layout.py`), on which a value
would be passed over while a rule is pending.
"""


def samples_of(rows: Rows, channel: Channel, wellness: npt.NDArray[np.int32]) -> Rows:
    """Choose a channel's samples: streams only, with a value; `wellness` are the ids of wellness wearables."""
    code = SIGNALS[channel.signal].code
    chosen = rows[
        (rows["signal"] == code)
        & (rows["value"] != NO_VALUE)
        & (rows["acquisition"] == Acquisition.CONTINUOUS)
        & np.isin(rows["quality"], _numbers(QUALITIES[channel.trust]))
        & ~np.isin(rows["reason"], _numbers(NOBODYS))
    ]
    worn = np.isin(chosen["device"], wellness)
    kept: Rows = chosen[worn if channel.trust is Trust.WELLNESS else ~worn]
    return kept


def as_judged(
    trust: Trust, values: npt.NDArray[np.integer[Any]], quality: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.int16]:
    """Give a channel's values as its rules take them, by the samples' quality; shape (n,) each."""
    if trust is not Trust.QUESTIONABLE:
        return values.astype(np.int16)
    return np.where(quality == Quality.GOOD, NOTHING_TO_QUESTION, values).astype(np.int16)


def _numbers(enums: tuple[Quality, ...] | tuple[Reason, ...]) -> npt.NDArray[np.uint8]:
    return np.array([int(each) for each in enums], np.uint8)
