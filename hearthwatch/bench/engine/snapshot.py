"""Measures a snapshot: how long judging stands still for it, how large it is, and how soon a worker has it back."""

import os
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from alerting.engine.table import Table
from hearthwatch.bench.engine.runs import Case, restored


def measure_snapshot(folder: Path, case: Case, snapshots: Sequence[bytes]) -> dict[str, Any]:
    """Write the tables of a case to the disk and read them again; wall milliseconds of each step."""
    tables = restored(case, snapshots)
    file = folder / "snapshot"
    marks = [time.perf_counter()]
    payloads = [table.dump() for table in tables]
    marks.append(time.perf_counter())
    with file.open("wb") as out:
        for payload in payloads:
            out.write(payload)
        out.flush()
        os.fsync(out.fileno())
    marks.append(time.perf_counter())
    held = file.read_bytes()
    marks.append(time.perf_counter())
    again = _loaded(case, payloads)
    marks.append(time.perf_counter())
    file.unlink()
    dump_ms, write_ms, read_ms, load_ms = (round((b - a) * 1000, 1) for a, b in pairwise(marks))
    return {
        "patients": case.patients,
        "channels": [str(channel.signal) for channel in case.rules],
        "bytes": len(held),
        "dump_ms": dump_ms,
        "write_ms": write_ms,
        "read_ms": read_ms,
        "load_ms": load_ms,
        "equal": [table.dump() for table in again] == payloads,
    }


def _loaded(case: Case, payloads: Sequence[bytes]) -> list[Table]:
    tables = [Table(rules) for rules in case.rules.values()]
    for table, payload in zip(tables, payloads, strict=True):
        table.load(payload)
    return tables
