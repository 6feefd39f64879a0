"""The sustained rules as a stateful operator of Bytewax: its dataflow round the plain loop's state."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

from hearthwatch.bench.engine.plain import Patient
from hearthwatch.bench.engine.traffic import Samples
from hearthwatch.bench.engine.windows import Said
from vitals.sustained import SustainedEvent, SustainedRule

VERSION = version("bytewax")
BATCH = 2_000
"""Items the source hands over at once: a second of the peers' stream."""


class Peer:
    """A list of keyed samples."""

    def __init__(self, rules: Sequence[SustainedRule], _patients: int) -> None:
        self.rules = rules
        self._items: list[tuple[str, tuple[int, int]]] = []

    def prepare(self, samples: Samples) -> None:
        """Key the samples by the patient, as text: Bytewax takes no other key."""
        keys = [str(row) for row in samples.rows.tolist()]
        self._items = list(zip(keys, zip(samples.t_ms.tolist(), samples.values.tolist(), strict=True), strict=True))

    def judge(self) -> Said:
        """Judge all samples."""
        said: list[tuple[str, SustainedEvent]] = []
        flow = Dataflow("sustained")
        samples = op.input("samples", flow, TestingSource(self._items, BATCH))
        events = op.stateful_flat_map("judge", samples, self._judge)
        op.output("said", events, TestingSink(said))
        run_main(flow)
        return [(int(key), event) for key, event in said]

    def _judge(self, patient: Patient | None, sample: tuple[int, int]) -> tuple[Patient, Iterable[SustainedEvent]]:
        patient = patient or Patient(self.rules)
        return patient, patient.take(*sample) or ()
