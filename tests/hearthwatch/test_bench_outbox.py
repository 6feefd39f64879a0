"""The benchmark of outbox and courier, in small: its jobs do what they say and its figures are there."""

from pathlib import Path

from gateway.outbox.outbox import read_account
from hearthwatch.bench.gateway.outbox import Plan, acknowledging_peer, drained, job


def test_a_paced_run_accepts_what_it_offers_and_takes_the_time(tmp_path: Path) -> None:
    found = job("paced", tmp_path / "outbox.sqlite", 200, 1)
    account, _ = read_account(tmp_path / "outbox.sqlite")
    assert account.accepted == 32 * 2 // 2 + 200
    assert set(found["durable_ms"]) == {"p50", "p95", "p99", "max"}
    assert 0 < found["durable_ms"]["p50"] <= found["durable_ms"]["max"]
    assert found["written_bytes_per_reading"] > 0


def test_a_drain_brings_all_of_the_backlog_and_counts_the_live_rows_apart(tmp_path: Path) -> None:
    with acknowledging_peer() as port:
        found = drained(tmp_path / "outbox.sqlite", port, Plan(backlog=20_000))
    assert found["readings"] == 20_000
    assert found["sent_again"] == 0
    assert found["live_readings"] >= 0
    account, _ = read_account(tmp_path / "outbox.sqlite")
    assert account.stored >= 20_000
