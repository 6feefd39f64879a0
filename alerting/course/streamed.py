"""One patient's streams under one profile, span by span: the sustained rules, and falls that lose their signal."""

from collections.abc import Mapping

import numpy as np

from alerting.course.samples import Samples, channel_of
from alerting.course.silence import gaps_of
from alerting.course.stream import Stream
from alerting.course.telling import Condition
from alerting.engine.layout import Ints
from alerting.engine.partition import Step
from alerting.profile.patient import Held
from alerting.profile.profile import Channel, Profile
from alerting.spot.arrivals import Devices
from vitals.signals import Signal
from vitals.sustained import Limit, SustainedRule


class Streamed:
    """The engine's part of a patient's course. Its memory is that of one span and of the conditions there were."""

    def __init__(self, profile: Profile, *, begin_ms: int, step: Step) -> None:
        self._profile, self._step = profile, step
        self._lost_ms = profile.silence.lost_while_low_s * 1000
        self._streams: dict[Channel, Stream] = {}
        self._good_ms = begin_ms
        """When the newest good SpO2 was measured: without any, since he was looked at."""

    def judge(self, samples: Samples, held: Held, devices: Devices, *, end_ms: int) -> None:
        """Judge the samples of a span that ends then, under what he is held to in it.

        A fall is lost when good SpO2 stays away, whatever fell: that is what the sweep looks at.
        """
        good: Ints = np.unique(samples.t_ms[samples.good(Signal.SPO2)])
        gaps = gaps_of(good, self._lost_ms, begin_ms=self._good_ms, end_ms=end_ms)
        self._good_ms = int(good[-1]) if len(good) else self._good_ms
        for channel, rules in self._profile.sustained.items():
            t_ms, values = channel_of(samples, channel, devices)
            if not len(t_ms) and channel not in self._streams:
                continue
            stream = self._stream(channel, dict(zip(rules, held.limits[channel], strict=True)))
            stream.hold(held.limits[channel])
            stream.judge(t_ms, values, gaps=gaps, end_ms=end_ms)

    def conditions(self) -> list[Condition]:
        """Give all that was raised so far."""
        none = np.zeros(0, np.int64)
        return [each for s in self._streams.values() for each in s.judge(none, none, gaps=[], end_ms=0)]

    def _stream(self, channel: Channel, rules: Mapping[SustainedRule, Limit]) -> Stream:
        if channel not in self._streams:
            self._streams[channel] = Stream(channel, rules, lost_ms=self._lost_ms, step=self._step)
        return self._streams[channel]
