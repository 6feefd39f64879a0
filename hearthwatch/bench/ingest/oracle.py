"""What the database must hold of a county's traffic: told by the arrays it was made from, read by nothing of ingest."""

from itertools import islice

import numpy as np
import psycopg

from hearthwatch.bench.ingest.county_traffic import batches, device_name
from hearthwatch.bench.ingest.publisher import Plan

FEED_ROW_BYTES = 24
"""Of one reading in the payload of `intake_log`."""
Place = tuple[int, int, int]
"""A device's number, an instant in ms, and a signal's code on the wire."""


def compare(dsn: str, plan: Plan) -> dict[str, int]:
    """Hold each reading of the database against the one that was made, by device, instant and signal."""
    with psycopg.connect(dsn) as connection:
        devices: dict[str, int] = dict(connection.execute("SELECT device_key, device_id FROM care_device").fetchall())
        stored = connection.execute(
            "SELECT device_id, (extract(epoch FROM measured_at) * 1000)::bigint, spo2, pulse FROM sample"
        ).fetchall()
        row = connection.execute(
            "SELECT coalesce(sum(octet_length(payload)), 0) FROM intake_log WHERE kind = 'readings'"
        ).fetchone()
    assert row is not None, "an aggregate gives a row"
    there: dict[Place, int] = {
        (device, at_ms, signal): value
        for device, at_ms, *values in stored
        for signal, value in enumerate(values, start=1)  # SpO2 1, pulse 2: docs/wire-format.md
        if value is not None
    }
    expected = made(plan, devices)
    return {
        "in_database": len(there),
        "missing": sum(place not in there for place in expected),
        "wrong": sum(there.get(place, value) != value for place, value in expected.items()),
        "unexpected": sum(place not in expected for place in there),
        "doubled_in_feed": int(row[0]) // FEED_ROW_BYTES - len(there),
    }


def made(plan: Plan, devices: dict[str, int]) -> dict[Place, int]:
    """Make the readings of a plan again, without a message: what each device said of each signal at each instant."""
    wanted = plan.messages * plan.rows_per_message
    whole = batches(plan.county, run=plan.run, t0_ms=plan.t0_ms, seed=plan.seed)
    said: dict[Place, int] = {}
    for batch in islice(whole, -(-wanted // plan.county.rows)):
        names = (device_name(batch.gateway, device) for device in range(plan.county.devices))
        numbers = np.array([devices[name] for name in names])
        at_ms = batch.header.t0_ms + batch.rows["offset"].astype(np.int64) * batch.header.offset_unit_ms
        columns = (numbers[batch.rows["device"]], at_ms, batch.rows["signal"])
        places = zip(*(column.tolist() for column in columns), strict=True)
        said.update(islice(zip(places, batch.rows["value"].tolist(), strict=True), wanted - len(said)))
    return said
