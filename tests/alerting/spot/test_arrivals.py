"""Which rows of the log are single measurements that arrived: each reason for and against, without a database."""

import numpy as np
import pytest

from alerting.spot.arrivals import Arrived, Devices, arrivals
from ingest.feed import FEED_DTYPE
from vitals.quality import Quality
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS, Signal

MEDICAL, WELLNESS, WORN, CLIP = 1, 2, 3, 4
DEVICES = Devices(
    wellness=np.array([WELLNESS], np.int32), worn=np.array([WORN], np.int32), clips=np.array([CLIP], np.int32)
)
Row = tuple[int, int, int, Signal, int, Quality, Acquisition]


def row(
    signal: Signal,
    value: int = 100,
    *,
    t_ms: int = 1000,
    patient: int = 7,
    device: int = MEDICAL,
    quality: Quality = Quality.GOOD,
    acquisition: Acquisition = Acquisition.SPOT,
) -> Row:
    return t_ms, patient, device, signal, value, quality, acquisition


def arrived(*rows: Row) -> Arrived:
    made = np.zeros(len(rows), FEED_DTYPE)
    for at, (t_ms, patient, device, signal, value, quality, acquisition) in enumerate(rows):
        made[at] = (t_ms, patient, device, value, SIGNALS[signal].code, int(quality), 0, int(acquisition))
    return arrivals(made, DEVICES)


CONTINUOUS = Acquisition.CONTINUOUS


@pytest.mark.parametrize(
    ("one", "is_judged"),
    [
        pytest.param(row(Signal.SYSTOLIC), True, id="a cuff"),
        pytest.param(row(Signal.SYSTOLIC, NO_VALUE), False, id="a cuff without a number"),
        pytest.param(row(Signal.SYSTOLIC, quality=Quality.QUESTIONABLE), False, id="a cuff that doubts itself"),
        pytest.param(row(Signal.SYSTOLIC, acquisition=CONTINUOUS), True, id="no sustained rule judges pressure"),
        pytest.param(row(Signal.SYSTOLIC, device=WELLNESS), False, id="a watch is no cuff"),
        pytest.param(row(Signal.SPO2), True, id="a clip's one value"),
        pytest.param(row(Signal.SPO2, quality=Quality.QUESTIONABLE), True, id="low of bad quality is never dropped"),
        pytest.param(row(Signal.SPO2, NO_VALUE), False, id="a clip without a number"),
        pytest.param(row(Signal.SPO2, acquisition=CONTINUOUS), False, id="a stream is the sustained rules'"),
        pytest.param(row(Signal.SPO2, acquisition=CONTINUOUS, device=CLIP), True, id="a clip's stream is a session"),
        pytest.param(row(Signal.SPO2, NO_VALUE, acquisition=CONTINUOUS, device=CLIP), True, id="its finger out too"),
        pytest.param(row(Signal.PULSE, acquisition=CONTINUOUS, device=CLIP), False, id="of a clip SpO2 makes sessions"),
        pytest.param(row(Signal.PULSE), True, id="a pulse by itself"),
        pytest.param(row(Signal.PULSE, acquisition=CONTINUOUS), False, id="a stream of pulse"),
        pytest.param(row(Signal.RESPIRATORY_RATE, acquisition=CONTINUOUS), False, id="a stream of breaths"),
        pytest.param(row(Signal.STEPS), False, id="steps are no measurement"),
        pytest.param(row(Signal.BATTERY), False, id="nor a battery"),
        pytest.param(row(Signal.PERFUSION_INDEX), False, id="nor perfusion"),
        pytest.param(row(Signal.RR_INTERVAL), False, id="nor beats"),
        pytest.param(row(Signal.TEMPERATURE), True, id="a thermometer"),
        pytest.param(row(Signal.TEMPERATURE, device=WORN), False, id="a worn one is told apart"),
        pytest.param(row(Signal.SYSTOLIC, device=WORN), True, id="a worn cuff is a cuff"),
    ],
)
def test_what_is_judged_as_a_single_measurement(one: Row, is_judged: bool) -> None:
    assert arrived(one).single == ({7: {one[3]: {1000}}} if is_judged else {})


def test_of_several_all_count_by_patient_and_signal_in_order() -> None:
    found = arrived(
        row(Signal.SPO2, t_ms=900, patient=9),
        row(Signal.SYSTOLIC, t_ms=3000),
        row(Signal.SYSTOLIC, t_ms=2000),
        row(Signal.SYSTOLIC, t_ms=2500),
        row(Signal.SPO2, t_ms=4000),
    ).single
    expected = {7: {Signal.SPO2: {4000}, Signal.SYSTOLIC: {2000, 2500, 3000}}, 9: {Signal.SPO2: {900}}}
    assert found == expected
    assert [(patient, list(of)) for patient, of in found.items()] == [(p, list(of)) for p, of in expected.items()]


def test_of_worn_temperatures_the_highest_good_one_is_kept() -> None:
    rows = [row(Signal.TEMPERATURE, value, t_ms=t, device=WORN) for value, t in ((3810, 1), (3900, 2), (3850, 3))]
    bad = row(Signal.TEMPERATURE, 4000, device=WORN, quality=Quality.INVALID)
    nothing = row(Signal.TEMPERATURE, NO_VALUE, device=WORN, patient=8)
    pulse = row(Signal.PULSE, 9999, device=WORN)
    assert arrived(*rows, bad, nothing, pulse).worn == {7: (3900, 2)}


def test_of_beats_the_earliest_counts_whatever_their_quality() -> None:
    rows = [row(Signal.RR_INTERVAL, t_ms=t, patient=p) for t, p in ((50, 9), (30, 7), (20, 7), (40, 7))]
    assert list(arrived(*rows, row(Signal.PULSE, t_ms=1)).beats.items()) == [(7, 20), (9, 50)]
