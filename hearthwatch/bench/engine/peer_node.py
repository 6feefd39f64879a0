"""The sustained rules as a loop in JavaScript, in a process of Node."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from hearthwatch.bench.engine.traffic import Samples
from hearthwatch.bench.engine.windows import Said
from vitals.sustained import BUCKET_MS, COUNT_MAX, GRAINS, NEVER_MS, WELL_MAX, Kind, SustainedEvent, SustainedRule


def version() -> str:
    """Ask Node for its version. Raises FileNotFoundError where there is none."""
    return subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def run(rules: Sequence[SustainedRule], patients: int, samples: Samples, passes: int) -> tuple[list[float], Said]:
    """Judge the samples so often anew; gives each pass's processor seconds, and what the last one said."""
    with tempfile.TemporaryDirectory() as folder, as_file(files("hearthwatch.bench.engine") / "peer.mjs") as script:
        plan, columns = Path(folder) / "plan.json", Path(folder) / "columns"
        plan.write_text(json.dumps(_plan(rules, patients, len(samples.rows), passes)))
        columns.write_bytes(
            samples.t_ms.astype(np.float64).tobytes()
            + samples.rows.astype(np.int32).tobytes()
            + samples.values.astype(np.int16).tobytes()
        )
        done = subprocess.run(["node", script, plan, columns], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return found["cpu_s"], [(row, _event(rules, rest)) for row, *rest in found["said"]]


def _plan(rules: Sequence[SustainedRule], patients: int, samples: int, passes: int) -> dict[str, object]:
    return {
        "bucketMs": BUCKET_MS,
        "countMax": COUNT_MAX,
        "wellMax": WELL_MAX,
        "neverMs": NEVER_MS,
        "patients": patients,
        "samples": samples,
        "passes": passes,
        "grains": [{"bucket_ms": grain.bucket_ms, "slots": grain.slots} for grain in GRAINS],
        "rules": [
            {
                "low": rule.low,
                "breach": rule.limit.breach,
                "clear_at": rule.limit.clear_at,
                "grain": rule.grain_index,
                "window": rule.window_buckets,
                "building": rule.building_buckets,
                "share": rule.share_percent,
                "coverage": rule.coverage_percent,
                "clear": rule.clear_buckets,
                "gap": rule.clear_gap_buckets,
            }
            for rule in rules
        ],
    }


def _event(rules: Sequence[SustainedRule], said: Sequence[int]) -> SustainedEvent:
    rule, kind, at_ms, since_ms, value, valid, below, buckets = said
    return SustainedEvent(
        rule=rules[rule].rule,
        kind=Kind(kind),
        at_ms=at_ms,
        since_ms=since_ms,
        value=value,
        valid=valid,
        below=below,
        buckets=buckets,
    )
