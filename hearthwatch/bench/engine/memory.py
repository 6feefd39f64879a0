"""Measures what no engine with a patient's state in one cache line can exceed: random changes of 64-byte records."""

import time
from collections.abc import Callable

import numpy as np

from alerting.engine.layout import Ints

RECORDS = 1_000_000
RECORD_BYTES = 64
TIMES = 5
CHUNK = 32_768


def limit_per_s(records: int = RECORDS) -> tuple[float, str]:
    """Give how many random records a core changes in a second, at best, and how it was done."""
    words = RECORD_BYTES // 8
    memory = np.zeros((records + 1) * words, np.int64)
    begin = -memory.ctypes.data % RECORD_BYTES // 8
    table = memory[begin : begin + records * words].reshape(records, words)
    order = np.random.Generator(np.random.SFC64(1)).permutation(records).astype(np.int32)
    return max((records / _best_s(change, table, order), how) for how, change in _ways().items())


def _best_s(change: Callable[[Ints, Ints], object], table: Ints, order: Ints) -> float:
    change(table, order)
    took_s = []
    for _ in range(TIMES):
        begun = time.process_time()
        change(table, order)
        took_s.append(time.process_time() - begun)
    return min(took_s)


def _ways() -> dict[str, Callable[[Ints, Ints], object]]:
    try:
        from hearthwatch.bench.engine import memory_compiled as compiled
    except ImportError:
        return {"NumPy, gathered and scattered": _gathered_and_scattered}
    return {"Numba, one by one": compiled.one_by_one, "Numba, a block read first": compiled.touched_first}


def _gathered_and_scattered(table: Ints, order: Ints) -> None:
    for at in range(0, len(order), CHUNK):
        chosen = order[at : at + CHUNK]
        table[chosen] = table.take(chosen, axis=0) + 1
