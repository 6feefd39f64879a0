"""The table of signals: one unit each, its codes (LOINC, MDC), its scale on the wire and what is plausible.

Codes follow LOINC 2.x, UCUM and ISO/IEEE 11073-10101; the code on the wire is this table's own and never changes.
"""

from dataclasses import dataclass
from enum import StrEnum


class Signal(StrEnum):
    """A kind of measurement. The value's unit is fixed: see `SIGNALS`."""

    SPO2 = "spo2"
    PULSE = "pulse"
    PERFUSION_INDEX = "perfusion_index"
    TEMPERATURE = "temperature"
    RESPIRATORY_RATE = "respiratory_rate"
    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    MEAN_ARTERIAL = "mean_arterial"
    GLUCOSE = "glucose"
    RR_INTERVAL = "rr_interval"
    WEIGHT = "weight"
    STEPS = "steps"
    BATTERY = "battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSpec:
    """How one signal is written down.

    `scale` is what one unit becomes in the stored int16 (100: hundredths). `floor` is true where rounding up
    could hide a danger (CLINICAL finding 7): the value is floored, else rounded to nearest.
    `plausible` is the closed range outside which a value is a device's error and is kept without its number.
    """

    code: int
    unit: str
    loinc: str
    mdc: int | None
    scale: int
    plausible: tuple[float, float]
    floor: bool = False


SIGNALS: dict[Signal, SignalSpec] = {
    Signal.SPO2: SignalSpec(code=1, unit="%", loinc="59408-5", mdc=150456, scale=100, plausible=(1, 100), floor=True),
    Signal.PULSE: SignalSpec(code=2, unit="/min", loinc="8867-4", mdc=149530, scale=100, plausible=(20, 300)),
    Signal.PERFUSION_INDEX: SignalSpec(code=3, unit="%", loinc="61006-3", mdc=150488, scale=100, plausible=(0, 30)),
    Signal.TEMPERATURE: SignalSpec(code=4, unit="Cel", loinc="8310-5", mdc=150364, scale=100, plausible=(30, 45)),
    Signal.RESPIRATORY_RATE: SignalSpec(code=5, unit="/min", loinc="9279-1", mdc=151562, scale=100, plausible=(3, 100)),
    Signal.SYSTOLIC: SignalSpec(code=6, unit="mm[Hg]", loinc="8480-6", mdc=150021, scale=100, plausible=(40, 300)),
    Signal.DIASTOLIC: SignalSpec(code=7, unit="mm[Hg]", loinc="8462-4", mdc=150022, scale=100, plausible=(20, 250)),
    Signal.MEAN_ARTERIAL: SignalSpec(code=8, unit="mm[Hg]", loinc="8478-0", mdc=150023, scale=100, plausible=(20, 270)),
    Signal.GLUCOSE: SignalSpec(code=9, unit="mmol/L", loinc="15074-8", mdc=160184, scale=100, plausible=(0.5, 60)),
    Signal.RR_INTERVAL: SignalSpec(code=10, unit="ms", loinc="8637-1", mdc=147240, scale=1, plausible=(200, 3000)),
    Signal.WEIGHT: SignalSpec(code=11, unit="kg", loinc="29463-7", mdc=188736, scale=100, plausible=(0.5, 300)),
    Signal.STEPS: SignalSpec(code=12, unit="1", loinc="55423-8", mdc=None, scale=1, plausible=(0, 30000)),
    Signal.BATTERY: SignalSpec(code=13, unit="%", loinc="93041-2", mdc=None, scale=100, plausible=(0, 100)),
}

SIGNAL_BY_CODE: dict[int, Signal] = {spec.code: signal for signal, spec in SIGNALS.items()}
SIGNAL_COUNT = len(SIGNALS)
