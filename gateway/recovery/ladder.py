"""The way out of Bluetooth's troubles, as a table: cause x how long it has held -> the next rung of the ladder.

Rungs, each dearer than the one before: scan anew, switch the adapter off and on, restart bluetoothd, reboot. A rung is
due when its cause has held for so long; of those due the dearest goes first that is not in its pause. A pause doubles
with every time the rung was taken in vain, up to a bound, so that a gateway in a house without any device is not
restarted all night; and after each rung its work is given time to show. A trouble is over when its cause has been away
for `HEALTHY_S`: then the ladder begins below again. What was done in vain is remembered for `REMEMBERED_S` of health:
a trouble that comes and goes all day does not get the short pauses each time.

Silence of the air means little in a lonely house, where only our own devices are ever heard: they may be switched off.
There the dear rungs wait for long. Where strangers are usually heard, too, it is the radio that is deaf.

What cuts links is not done while data flow over them: a scanner that found nothing new must not silence a patient who
is being heard. A reboot needs leave, a machine that has been up for a day (so there is one a day at most, without any
clock), and an outbox that holds on disk what was accepted. Of causes that follow from one another only the deepest
counts. Causes without rungs are told, not treated here.

Half a minute without data is no flow any more. The 90 s without any advertisement after which the radio itself is
switched are habluetooth's (its scanner watchdog); the first rescan comes at half of them.
"""

from dataclasses import dataclass, field
from enum import StrEnum

SILENT_AIR_S = 45.0
LONELY_S = 3600.0
STALE_S = 60.0
DATA_FLOW_S = 30.0
HEALTHY_S = 120.0
REMEMBERED_S = 6 * 3600.0
DAY_S = 86_400.0


class Cause(StrEnum):
    """What is wrong."""

    BUS_GONE = "bus_gone"
    BLUETOOTHD_GONE = "bluetoothd_gone"
    ADAPTER_MISSING = "adapter_missing"
    ADAPTER_OFF = "adapter_off"
    SCAN_REFUSED = "scan_refused"
    SILENT_AIR = "silent_air"
    SILENT_LONELY_AIR = "silent_lonely_air"
    STALE_THOUGH_HEARD = "stale_though_heard"
    CLOCK_JUMPED = "clock_jumped"
    BROKER_GONE = "broker_gone"


class Rung(StrEnum):
    """What is done about it, dearest last."""

    RESCAN = "rescan"
    POWER_CYCLE = "power_cycle"
    RESTART_BLUETOOTHD = "restart_bluetoothd"
    REBOOT = "reboot"


LADDERS: dict[Cause, tuple[tuple[float, Rung], ...]] = {
    Cause.BUS_GONE: ((0, Rung.RESCAN), (600, Rung.REBOOT)),
    Cause.BLUETOOTHD_GONE: ((0, Rung.RESCAN), (10, Rung.RESTART_BLUETOOTHD), (900, Rung.REBOOT)),
    Cause.ADAPTER_MISSING: ((0, Rung.RESCAN), (60, Rung.RESTART_BLUETOOTHD), (900, Rung.REBOOT)),
    Cause.ADAPTER_OFF: ((0, Rung.POWER_CYCLE), (60, Rung.RESTART_BLUETOOTHD), (900, Rung.REBOOT)),
    Cause.SCAN_REFUSED: (
        (0, Rung.RESCAN),
        (30, Rung.POWER_CYCLE),
        (75, Rung.RESTART_BLUETOOTHD),
        (900, Rung.REBOOT),
    ),
    Cause.SILENT_AIR: (
        (0, Rung.RESCAN),
        (45, Rung.POWER_CYCLE),
        (135, Rung.RESTART_BLUETOOTHD),
        (1800, Rung.REBOOT),
    ),
    Cause.SILENT_LONELY_AIR: (
        (0, Rung.RESCAN),
        (900, Rung.POWER_CYCLE),
        (3600, Rung.RESTART_BLUETOOTHD),
        (6 * 3600, Rung.REBOOT),
    ),
    Cause.STALE_THOUGH_HEARD: (
        (0, Rung.RESCAN),
        (120, Rung.POWER_CYCLE),
        (300, Rung.RESTART_BLUETOOTHD),
        (3600, Rung.REBOOT),
    ),
    Cause.CLOCK_JUMPED: (),
    Cause.BROKER_GONE: (),
}
_HIDDEN_BY: dict[Cause, tuple[Cause, ...]] = {
    Cause.BLUETOOTHD_GONE: (Cause.BUS_GONE,),
    Cause.ADAPTER_MISSING: (Cause.BUS_GONE, Cause.BLUETOOTHD_GONE),
    Cause.ADAPTER_OFF: (Cause.BUS_GONE, Cause.BLUETOOTHD_GONE, Cause.ADAPTER_MISSING),
    **dict.fromkeys(
        (Cause.SCAN_REFUSED, Cause.SILENT_AIR, Cause.SILENT_LONELY_AIR, Cause.STALE_THOUGH_HEARD),
        (Cause.BUS_GONE, Cause.BLUETOOTHD_GONE, Cause.ADAPTER_MISSING, Cause.ADAPTER_OFF),
    ),
}
_PAUSE_S: dict[Rung, tuple[float, float]] = {  # the first pause, and the longest
    Rung.RESCAN: (60, 600),
    Rung.POWER_CYCLE: (300, 6 * 3600),
    Rung.RESTART_BLUETOOTHD: (900, 12 * 3600),
    Rung.REBOOT: (DAY_S, DAY_S),
}
_SETTLING_S: dict[Rung, float] = {
    Rung.RESCAN: 10,
    Rung.POWER_CYCLE: 30,
    Rung.RESTART_BLUETOOTHD: 45,
    Rung.REBOOT: 600,
}
_WHOLE_MACHINE = frozenset({Rung.RESTART_BLUETOOTHD, Rung.REBOOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFacts:
    """One adapter as it is; times are the loop's, None for never.

    `expected`: somebody should be on the air: a claimed device without a link. `starving`: a claimed streaming device
    is heard and has had nothing for STALE_S, neither a link nor data. `stranger_s`: when somebody not ours was heard.
    """

    name: str
    found: bool = True
    powered: bool = True
    scan_refused: bool = False
    expected: bool = False
    starving: bool = False
    advertisement_s: float | None = None
    stranger_s: float | None = None
    data_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the ladder looks at."""

    began_s: float
    up_s: float
    adapters: tuple[AdapterFacts, ...] = ()
    bus: bool = True
    bluetoothd: bool = True
    broker: bool = True
    clock_jumped: bool = False
    may_reboot: bool = False
    is_safe: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cause and where it holds; an empty adapter for the whole machine."""

    cause: Cause
    adapter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A rung to take now, and because of what."""

    rung: Rung
    because: Cause
    adapter: str


@dataclass(slots=True, kw_only=True)
class _Spell:
    """One trouble's history."""

    began_s: float
    held_s: float
    taken: dict[Rung, int] = field(default_factory=dict)


def troubles(facts: Facts, *, now_s: float) -> list[Trouble]:
    """Name what is wrong, deepest first, without what only follows from something deeper."""
    found = [
        *([Trouble(Cause.BUS_GONE)] if not facts.bus else []),
        *([Trouble(Cause.BLUETOOTHD_GONE)] if not facts.bluetoothd else []),
        *(Trouble(cause, a.name) for a in facts.adapters for cause in _of_adapter(a, facts, now_s)),
        *([Trouble(Cause.CLOCK_JUMPED)] if facts.clock_jumped else []),
        *([Trouble(Cause.BROKER_GONE)] if not facts.broker else []),
    ]
    return [one for one in found if not any(_hides(other, one) for other in found)]


def _of_adapter(adapter: AdapterFacts, facts: Facts, now_s: float) -> list[Cause]:
    silent_s = now_s - (facts.began_s if adapter.advertisement_s is None else adapter.advertisement_s)
    holds = {
        Cause.ADAPTER_MISSING: not adapter.found,
        Cause.ADAPTER_OFF: not adapter.powered,
        Cause.SCAN_REFUSED: adapter.scan_refused,
        Cause.SILENT_AIR: adapter.expected and silent_s >= SILENT_AIR_S and not _is_lonely(adapter),
        Cause.SILENT_LONELY_AIR: adapter.expected and silent_s >= SILENT_AIR_S and _is_lonely(adapter),
        Cause.STALE_THOUGH_HEARD: adapter.starving and not _flows(adapter, now_s),
    }
    return [cause for cause, is_so in holds.items() if is_so]


def _is_lonely(adapter: AdapterFacts) -> bool:
    """Whether no stranger was heard in the hour before the air fell silent; an adapter that never heard is deaf."""
    if adapter.advertisement_s is None:
        return False
    return adapter.stranger_s is None or adapter.advertisement_s - adapter.stranger_s > LONELY_S


def _hides(deeper: Trouble, one: Trouble) -> bool:
    return deeper.cause in _HIDDEN_BY.get(one.cause, ()) and deeper.adapter in ("", one.adapter)


def _flows(adapter: AdapterFacts, now_s: float) -> bool:
    return adapter.data_s is not None and now_s - adapter.data_s < DATA_FLOW_S


class Ladder:
    """What was tried against which trouble, in plain values; it decides, the shell acts."""

    def __init__(self) -> None:
        self._spells: dict[Trouble, _Spell] = {}
        self._last_s: dict[tuple[Rung, str], float] = {}
        self._settled_s = float("-inf")

    def standing(self, *, now_s: float) -> tuple[tuple[Trouble, float], ...]:
        """Name the troubles that are not over, and since when each holds."""
        return tuple((t, spell.began_s) for t, spell in self._spells.items() if now_s - spell.held_s < HEALTHY_S)

    def next(self, facts: Facts, *, now_s: float) -> Act | None:
        """Say what to do now, if anything; what it says counts as done."""
        now = troubles(facts, now_s=now_s)
        for trouble in now:
            spell = self._spells.setdefault(trouble, _Spell(began_s=now_s, held_s=now_s))
            if now_s - spell.held_s >= HEALTHY_S:
                spell.began_s = now_s
            spell.held_s = now_s
        self._spells = {t: spell for t, spell in self._spells.items() if now_s - spell.held_s < REMEMBERED_S}
        if now_s < self._settled_s:
            return None
        for trouble in now:
            rung = self._due(trouble, facts, now_s)
            if rung is not None:
                return self._taken(rung, trouble, now_s)
        return None

    def _due(self, trouble: Trouble, facts: Facts, now_s: float) -> Rung | None:
        held_s = now_s - self._spells[trouble].began_s
        for after_s, rung in reversed(LADDERS[trouble.cause]):
            if held_s >= after_s and self._is_rested(rung, trouble, now_s) and _is_allowed(rung, trouble, facts, now_s):
                return rung
        return None

    def _is_rested(self, rung: Rung, trouble: Trouble, now_s: float) -> bool:
        first_s, longest_s = _PAUSE_S[rung]
        in_vain = self._spells[trouble].taken.get(rung, 0)
        pause_s = min(first_s * 2.0 ** max(0, in_vain - 1), longest_s)
        return now_s - self._last_s.get((rung, _where(rung, trouble)), float("-inf")) >= pause_s

    def _taken(self, rung: Rung, trouble: Trouble, now_s: float) -> Act:
        taken = self._spells[trouble].taken
        taken[rung] = taken.get(rung, 0) + 1
        self._last_s[rung, _where(rung, trouble)] = now_s
        self._settled_s = now_s + _SETTLING_S[rung]
        return Act(rung=rung, because=trouble.cause, adapter=trouble.adapter)


def _where(rung: Rung, trouble: Trouble) -> str:
    return "" if rung in _WHOLE_MACHINE else trouble.adapter


def _is_allowed(rung: Rung, trouble: Trouble, facts: Facts, now_s: float) -> bool:
    if rung is Rung.RESCAN:
        return True
    cut = [a for a in facts.adapters if rung in _WHOLE_MACHINE or a.name == trouble.adapter]
    if facts.bluetoothd and any(_flows(adapter, now_s) for adapter in cut):
        return False
    return rung is not Rung.REBOOT or (facts.may_reboot and facts.is_safe and facts.up_s >= DAY_S)
