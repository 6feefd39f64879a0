"""The clinical profile: every threshold, duration and timer, as typed values named by a hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from alerting.profile.singles import ActivityRule, BaselineRule, News2Rule, SessionRule
from alerting.profile.technical import Technical
from alerting.profile.urgency import Consequence as Consequence
from alerting.profile.urgency import Priority as Priority
from vitals.signals import Signal
from vitals.sustained import NEVER_HIGH, NEVER_LOW, Limit, SustainedRule


class Trust(StrEnum):
    """Which samples of a signal a sustained rule looks at."""

    GOOD = "good"  # measured well, by a medical device
    QUESTIONABLE = "questionable"  # they have a number, and their device or we doubt it
    WELLNESS = "wellness"  # measured well, by a wearable that is no medical device


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Channel:
    """One stream of samples that sustained rules judge on its own."""

    signal: Signal
    trust: Trust = Trust.GOOD


class Confirm(StrEnum):
    """What a first single measurement beyond a limit needs, to raise (CLINICAL 3.1)."""

    REPEAT = "repeat"  # a second one in time; its absence raises
    ONLY_REPEAT = "only_repeat"  # a second one in time; its absence is another rule's
    AT_ONCE = "at_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatRule:
    """A limit on single measurements, and what confirms that it is broken.

    `low` is true when values under `limit` (exclusive) are the dangerous ones, else those above it. A rule that is
    confirmed at once has no time for a repeat. `after_activity`: only measurements after marked activity are judged.
    """

    rule: str
    signal: Signal
    low: bool
    limit: int
    repeat_from_ms: int
    repeat_until_ms: int
    clear_at: int
    clear_repeats: int
    confirm: Confirm = Confirm.REPEAT
    trust: Trust = Trust.GOOD
    after_activity: bool = False

    @property
    def holds(self) -> bool:
        """Say whether any value can break the limit."""
        return self.limit != (NEVER_LOW if self.low else NEVER_HIGH).breach

    def is_breach(self, value: int) -> bool:
        """Say whether a scaled value breaks the limit."""
        return value < self.limit if self.low else value > self.limit

    def is_well(self, value: int) -> bool:
        """Say whether a scaled value is well inside the limit, hysteresis included."""
        return value >= self.clear_at if self.low else value <= self.clear_at


@dataclass(frozen=True, slots=True, kw_only=True)
class FeverRule:
    """A temperature above `above` (exclusive) for longer than a stated time, by readings (CLINICAL 3.3)."""

    rule: str
    above: int
    longer_than_ms: int
    block_ms: int
    clear_at: int
    clear_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRule:
    """What a doctor may order for a patient: limits for so long at most, and how far out.

    `furthest` is by (signal, is low dangerous), scaled: an order beyond it would silence its rule.
    """

    valid_ms_max: int
    furthest: Mapping[tuple[Signal, bool], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A limit made of a personal baseline: this much under it and more, but only under `and_below` (exclusive)."""

    drop: int
    and_below: int
    clear_above: int
    """How far above the limit's last dangerous value the condition is over."""

    def limit(self, baseline: int) -> Limit:
        """Give the limit of somebody with this baseline."""
        breach = min(baseline - self.drop + 1, self.and_below)
        return Limit(breach=breach, clear_at=min(baseline - self.drop, self.and_below) + self.clear_above)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A second limit that raises nothing and is told with a rule's raise, as `name`, where it is broken too."""

    name: str
    rules: tuple[str, ...]
    signal: Signal
    low: bool
    limit: int


class Holds(StrEnum):
    """Whether a rule holds for a patient. A doctor's order of a limit makes any rule hold."""

    YES = "yes"
    NO = "no"
    BY_ORDER = "by_order"  # no limit fits such patients unseen: somebody has to order one


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """A rule's limit as the file states it, for all ways the rule is judged: what variants and orders change.

    `limit` is None where it is made of the baseline (`drop`). `reached_before` names the more urgent rule whose limit
    has to lie further out.
    """

    rule: str
    signal: Signal
    low: bool
    limit: Limit | None
    holds: Holds = Holds.YES
    drop: Drop | None = None
    reached_before: str | None = None

    @property
    def never(self) -> Limit:
        """The limit of somebody for whom this rule does not hold."""
        return NEVER_LOW if self.low else NEVER_HIGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Applies:
    """To whom a variant applies: everything that is stated has to be so. Ages and altitudes are `until` exclusive."""

    age_from_days: int | None = None
    age_until_days: int | None = None
    group: str | None = None
    and_group: str | None = None
    on_oxygen: bool | None = None
    altitude_from_m: int | None = None
    altitude_until_m: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a variant changes of one rule; None leaves it as it is."""

    rule: str
    limit: Limit | None = None
    holds: Holds | None = None
    priority: Priority | None = None
    emergency: bool | None = None
    tier3: bool | None = None
    confirm: Confirm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The profile for a group of patients: what differs from the standard one. Times never do."""

    name: str
    applies: Applies
    overrides: tuple[Override, ...]
    spo2_scale: int | None = None
    """The scale of NEWS2 for oxygen saturation: 2 where a clinician has set a target of 88-92 %."""
    approved_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """When the absence of good data becomes an alarm (CLINICAL 6.4), in seconds."""

    low_after_s: int
    medium_after_s: int
    medium_after_watched_s: int
    lost_while_low_s: int
    still_present_after_false_alarm_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Deadlines for one priority (CLINICAL 6.2), in seconds: of escalation, of which the first three count from the
    alarm, then of a referral, stage by stage.
    """

    duty_s: int
    tier3_s: int
    exhausted_s: int
    repeat_s: int
    ack_s: int
    tier3_ack_s: int
    monitor_s: int
    referred_s: int
    accept_s: int
    depart_s: int
    arrive_s: int
    chase_s: int
    feedback_s: int
    stay_s: int
    return_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A whole profile. `consequences` is by rule id; a rule id may be judged both sustained and by repeat.

    The rules in `sustained`, `repeat` and `fever` are those of a standard patient: one that does not hold for him has
    the limit that nothing breaks. For a patient's own: `alerting.profile.patient.held_to`.
    """

    name: str
    version: int
    effective_from: date
    profile_hash: str
    body: str
    sustained: Mapping[Channel, tuple[SustainedRule, ...]]
    repeat: tuple[RepeatRule, ...]
    fever: tuple[FeverRule, ...]
    news2: tuple[News2Rule, ...]
    reported: tuple[str, ...]
    """Rules that a person raises: what was seen or told, not measured."""
    sessions: SessionRule
    activity: ActivityRule
    baseline: BaselineRule
    orders: OrderRule
    tags: tuple[Tag, ...]
    limits: Mapping[str, LimitRow]
    variants: tuple[Variant, ...]
    own_altitude_from_m: int
    """From this altitude of the site on, alerting needs an approved variant `altitude`."""
    silence: Silence
    timers: Mapping[Priority, Timers]
    consequences: Mapping[str, Consequence]
    technical: Technical


NO_DATA = "TECH-NODATA"
SYMPTOM = "SYMPTOM"
"""A warning sign that a person reports (CLINICAL 3.1, 6.3)."""


def no_data_rule(priority: Priority) -> str:
    """Give the rule id of silence at a priority; both are one family."""
    return NO_DATA if priority is Priority.LOW else f"{NO_DATA}-LONG"
