"""What all sessions share: the parts they work with, and how patient they are."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from gateway.bluetooth.radio import Radio
from gateway.bluetooth.slots import Slots
from gateway.bluetooth.stack import Stack
from gateway.box.machine import Timekeeper
from gateway.intake.intake import Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """Machine seconds: how long a connect may take, and how long a link may be silent before it counts as dead.

    A spot device that has spoken and been quiet for `spot_linger_s` is done; for `spot_pause_s` its advertisements then
    count only if it has slept in between. The same payload within `echo_s` is the stack's echo, and a broadcast that is
    repeated within `broadcast_again_s` no new one. `zone`: where the devices' clocks show their time.
    """

    connect_s_max: float
    stream_silence_s_max: float
    spot_silence_s_max: float
    spot_linger_s: float
    spot_pause_s: float
    echo_s: float
    broadcast_again_s: float
    zone: tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The parts; `take` brings a notification to intake, and never waits. `crashes` counts by part."""

    radio: Radio
    slots: Slots
    stack: Stack
    timekeeper: Timekeeper
    take: Callable[[Notification], None]
    plan: SessionPlan
    crashes: Counter[str]
