"""Which of the feed's rows belong to which channel of the sustained rules."""

import numpy as np
import numpy.typing as npt

from alerting.profile.profile import Channel, Trust
from ingest.feed import Rows
from vitals.quality import Quality
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS

QUALITIES = {
    Trust.GOOD: (Quality.GOOD,),
    Trust.QUESTIONABLE: (Quality.PROVISIONAL, Quality.QUESTIONABLE, Quality.INVALID),
    Trust.WELLNESS: (Quality.GOOD,),
}
"""A value that is not good is questionable, however bad: what has a number may be a true fall (CLINICAL 3.5)."""


def samples_of(rows: Rows, channel: Channel, wellness: npt.NDArray[np.int32]) -> Rows:
    """Choose a channel's samples: streams only, with a value; `wellness` are the ids of wellness wearables."""
    code, trusted = SIGNALS[channel.signal].code, QUALITIES[channel.trust]
    chosen = rows[
        (rows["signal"] == code)
        & (rows["value"] != NO_VALUE)
        & (rows["acquisition"] == Acquisition.CONTINUOUS)
        & np.isin(rows["quality"], np.array([int(quality) for quality in trusted], np.uint8))
    ]
    worn = np.isin(chosen["device"], wellness)
    kept: Rows = chosen[worn if channel.trust is Trust.WELLNESS else ~worn]
    return kept
