"""What is asked of the alert engine, and its ratios to a plain loop, to Node and to the memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from hearthwatch.bench.engine.gate import Found
from hearthwatch.bench.engine.peers import BANDED, NODE, PLAIN
from hearthwatch.bench.engine.traffic import CALM
from hearthwatch.bench.goals import Goal, TooShort, at_least, at_most, exactly
from ingest.feed import PARTITION_COUNT

RATES = (("numpy", 100_000, 20_000_000), ("numpy", 1_000_000, 15_000_000), ("numba", 1_000_000, 50_000_000))
"""Engine, patients, and how many readings a second of a core are asked of its best batch size on the calm stream."""

RATIOS_TO_PLAIN = (("numpy", 6.0), ("numba", 50.0))
READINGS_FOR_RATIOS = 500_000
SECOND_OF_ALL = 1_000_000
SECOND_P99_MS_MAX = 25.0
BYTES_PER_PATIENT_MAX = 128.0

_NOT_RUN = "not run at this size, or not installed"

Document = Mapping[str, Any]


def gate_goals(found: Found) -> list[Goal]:
    """Ask for no difference from the oracle."""
    what = f"{found.streams:,} streams ({found.events:,} events) and {found.crashes:,} crashes"
    return [exactly(f"differences from the oracle on {what}", 0, len(found.differences))]


def goals(document: Document) -> list[Goal | TooShort]:
    """Judge what was measured."""
    calm = [run for run in document["runs"] if len(run["channels"]) == 1 and run["stream"] == CALM.name]
    of_all = [run for run in _of(calm, "numba", SECOND_OF_ALL) if run["batch"] == SECOND_OF_ALL]
    second = [run["p99_ms"] for run in of_all if run["tables"] == PARTITION_COUNT]
    return [
        exactly("wards on which runs' events differ", 0, _unlike(document["runs"])),
        exactly(
            "snapshots that are not the same when they are read", 0, sum(not s["equal"] for s in document["snapshots"])
        ),
        *(
            _asked(
                f"{engine}, {patients:,} patients: readings a second of a core", _best(calm, engine, patients), limit
            )
            for engine, patients, limit in RATES
        ),
        at_most(_SECOND, SECOND_P99_MS_MAX, max(second)) if second else TooShort(goal=_SECOND, why=_NOT_RUN),
        at_most(
            "bytes a patient and rule family",
            BYTES_PER_PATIENT_MAX,
            max(document["family_bytes"].values()),
        ),
        *(_peer_goals(document) if document["peers"] else ()),
    ]


_SECOND = "numba, 1,000,000 patients: ms of processor for a second of all of them, p99"


def ratios(document: Document) -> dict[str, float]:
    """Give the steps' best rate over the plain loop's and Node's on the peers' stream, and over the memory's limit."""
    found: dict[str, float] = {}
    for engine in ("numpy", "numba"):
        of_engine = _rate_of_peer(document, engine)
        for peer, short in ((PLAIN, "plain"), (BANDED, "plain_banded"), (NODE, "node")):
            of_peer = _rate_of_peer(document, peer)
            if of_engine and of_peer:
                found[f"{engine}_to_{short}"] = round(of_engine / of_peer, 2)
        best = _best(document["runs"], engine, SECOND_OF_ALL)
        if best:
            found[f"{engine}_to_limit"] = round(best / document["limit_per_s"], 3)
    return found


def _peer_goals(document: Document) -> list[Goal | TooShort]:
    measured = ratios(document) if document["peers_stream"]["readings"] >= READINGS_FOR_RATIOS else {}
    return [
        exactly("peers whose events differ from the oracle's", 0, sum(not peer["equal"] for peer in document["peers"])),
        *(
            _asked(f"{engine}, times the plain loop on the sick stream", measured.get(f"{engine}_to_plain"), limit)
            for engine, limit in RATIOS_TO_PLAIN
        ),
    ]


def _asked(goal: str, measured: float | None, limit: float) -> Goal | TooShort:
    return TooShort(goal=goal, why=_NOT_RUN) if measured is None else at_least(goal, limit, measured)


def _rate_of_peer(document: Document, name: str) -> float | None:
    return max((peer["readings_per_s"] for peer in document["peers"] if peer["name"] == name), default=None)


def _best(runs: Sequence[Document], engine: str, patients: int) -> float | None:
    return max((run["readings_per_s"] for run in _of(runs, engine, patients)), default=None)


def _of(runs: Sequence[Document], engine: str, patients: int) -> list[Document]:
    return [run for run in runs if (run["engine"], run["patients"]) == (engine, patients)]


def _unlike(runs: Sequence[Document]) -> int:
    said: dict[tuple[object, ...], set[str]] = {}
    for run in runs:
        said.setdefault((run["patients"], run["stream"], *run["channels"]), set()).add(run["events_sum"])
    return sum(len(sums) > 1 for sums in said.values())
