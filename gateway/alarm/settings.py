"""The local alarm's settings: the table [local_alarm] of a gateway's settings.

The numbers that decide are those of SPO2-CRIT in the standard adult profile; a test holds them against it. A home under
another profile needs its numbers here.
"""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.alarm.local_alarm import LocalRules, SpotRule
from vitals.reading import ScaleError, scaled
from vitals.signals import Signal
from vitals.sustained import BUCKET_MS, Limit, RuleError, SustainedRule

RULE = "SPO2-CRIT"

Percent = Annotated[int, Field(ge=1, le=100)]
WholeBuckets = Annotated[int, Field(ge=10, le=900, multiple_of=BUCKET_MS // 1000)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]
Duration = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class When(StrEnum):
    """When a danger is signalled here: only while the centre can not be, or always."""

    ALONE = "alone"
    ALWAYS = "always"


class LocalAlarmSettings(BaseModel):
    """What rings here, when, and at which numbers. Durations are clinical seconds but for `command_s_max`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: When = Field(
        default=When.ALONE, description="alone: while the centre is out of reach; always: also while it is there"
    )
    command: tuple[str, ...] = Field(
        default=(), description="program and arguments that make the sound, once for each burst; empty for none"
    )
    command_s_max: float = Field(default=5, gt=0, le=60, description="the command is ended after this, machine s")
    led: Path | None = Field(
        default=None, description="brightness file of the signal light, as /sys/class/leds/NAME/brightness"
    )
    led_shows_unreachable: bool = Field(default=True, description="the light stays on while the centre is out of reach")
    patience_s: Duration = Field(default=180, description="without *stored* for this long the centre is out of reach")
    handover_s: Duration = Field(
        default=240, description="a centre that is back has this long to act before the alarm here ends"
    )
    spo2_at_or_below: float = Field(default=88, description="the critical SpO2 (%)")
    window_s: WholeBuckets = Field(default=120, description="a stream is low for this long")
    share_percent: Percent = Field(default=80, description="share of its good values that must be low")
    coverage_percent: Percent = Field(
        default=50, description="share of its steps (10 s; 20 s where window_s is over 70) that must hold a good value"
    )
    building_s: WholeBuckets = Field(default=40, description="low for this long, a stream must not fall silent")
    lost_while_low_s: Seconds = Field(default=120, description="a stream that was low and is silent for this long")
    clear_at: float = Field(default=89, description="well again from this SpO2 (%)")
    clear_s: Seconds = Field(default=600, description="a stream is well for this long")
    clear_gap_s: Seconds = Field(default=60, description="without a gap longer than this")
    repeat_until_s: Seconds = Field(default=120, description="a single low measurement is repeated within this")
    clear_repeats: int = Field(default=2, ge=1, le=10, description="so many single measurements in a row are well")

    @model_validator(mode="after")
    def _fits_together(self) -> "LocalAlarmSettings":
        try:
            rules = self.rules()
        except (ScaleError, RuleError) as exc:
            raise ValueError(str(exc)) from exc
        if rules.spot.clear_at < rules.spot.below:
            raise ValueError(f"clear_at = {self.clear_at:g} is not above spo2_at_or_below = {self.spo2_at_or_below:g}")
        if self.command and not Path(self.command[0]).is_absolute():
            raise ValueError(f"command = {self.command[0]!r} is not an absolute path")
        return self

    @property
    def patience(self) -> timedelta:
        """How long the centre may say nothing."""
        return timedelta(seconds=self.patience_s)

    @property
    def handover(self) -> timedelta:
        """How long a centre that is back has to act."""
        return timedelta(seconds=self.handover_s)

    def rules(self) -> LocalRules:
        """Give the numbers as the rules take them."""
        below = scaled(Signal.SPO2, self.spo2_at_or_below) + 1
        clear_at = scaled(Signal.SPO2, self.clear_at)
        return LocalRules(
            sustained=SustainedRule(
                rule=RULE,
                low=True,
                limit=Limit(breach=below, clear_at=clear_at),
                window_ms=self.window_s * 1000,
                share_percent=self.share_percent,
                coverage_percent=self.coverage_percent,
                building_ms=self.building_s * 1000,
                clear_ms=self.clear_s * 1000,
                clear_gap_ms=self.clear_gap_s * 1000,
            ),
            lost_while_low_ms=self.lost_while_low_s * 1000,
            spot=SpotRule(
                below=below,
                repeat_until_ms=self.repeat_until_s * 1000,
                clear_at=clear_at,
                clear_repeats=self.clear_repeats,
            ),
        )
