"""The whole way, on real parts: devices' bytes in, a decision out, nothing lost, whatever is killed."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
Lines = list[dict[str, Any]]


def play(*options: str) -> tuple[int, Lines, str]:
    """Run the demo to its end; give its status, its JSON lines and what it said besides."""
    run = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "demo", "--json", *options],
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    return run.returncode, [json.loads(line) for line in run.stdout.splitlines()], run.stderr


def named(lines: Lines, milestone: str) -> Lines:
    return [line for line in lines if line["milestone"] == milestone]


def clinical(lines: Lines) -> set[tuple[str, str]]:
    raised = {(line["patient"], line["rule"]) for line in named(lines, "episode_raised")}
    return {pair for pair in raised if not pair[1].startswith("TECH-")}


@pytest.mark.usefixtures("timescale_server")
def test_three_patients_reach_tier_3_and_the_well_ones_stay_silent() -> None:
    status, lines, said = play("--until", "tier3", "--speed", "25")
    assert status == 0, said
    assert {("p3", "SPO2-CRIT"), ("p4", "SPO2-REFER"), ("p5", "FEVER-PERSIST")} <= clinical(lines)
    assert {patient for patient, _ in clinical(lines)} == {"p3", "p4", "p5"}
    for patient, rule in (("p3", "SPO2-CRIT"), ("p4", "SPO2-REFER"), ("p5", "FEVER-PERSIST")):
        told = [line for line in named(lines, "notified") if (line["patient"], line["rule"]) == (patient, rule)]
        first = {tier: min(line["t_s"] for line in told if line["service_tier"] == tier) for tier in (2, 3)}
        assert first[2] < first[3]
    assert {line["patient"] for line in named(lines, "referral") if line["stage"] == "received"} == {"p3", "p4"}
    assert ("p5", "stay_home") in {(line["patient"], line["decision"]) for line in named(lines, "decided")}
    (summary,) = named(lines, "summary")
    assert summary["accepted"] == summary["stored"] + summary["rejected"] + summary["repeated"]
    assert (summary["lost"], summary["duplicates"]) == (0, 0)


@pytest.mark.usefixtures("timescale_server")
def test_a_real_recording_raises_its_own_episode_and_nobody_elses(recordings: Path) -> None:
    recording = recordings / "uw_hypoxia" / "data" / "gt" / "100001.csv"
    status, lines, said = play("--recording", str(recording), "--until", "tier3")
    assert status == 0, said
    assert clinical(lines) == {("p3", "SPO2-CRIT")}
    assert len([line for line in named(lines, "episode_raised") if line["rule"] == "SPO2-CRIT"]) == 1


@pytest.mark.usefixtures("timescale_server")
def test_whatever_is_killed_nothing_is_lost_and_the_escalation_goes_on_in_time() -> None:
    status, lines, said = play("--chaos")
    assert status == 0, said
    killed = [line["process"] for line in named(lines, "killed")]
    assert killed == ["gateway", "ingest", "mosquitto", "alerting", "postgres"]
    assert [line["process"] for line in named(lines, "restarted")] == killed
    assert Counter((line["patient"], line["rule"]) for line in named(lines, "episode_raised")).most_common(1)[0][1] == 1
    # Two deadlines fall due while alerting or PostgreSQL is dead: late by the restart, at five times real speed. How
    # long that takes is the machine's affair; no deadline waits for the next one.
    assert max(line["late_s"] for line in named(lines, "escalated")) < 5 * 60
    (summary,) = named(lines, "summary")
    assert summary["accepted"] == summary["stored"] + summary["rejected"] + summary["repeated"]
    assert (summary["lost"], summary["duplicates"]) == (0, 0)


@pytest.mark.usefixtures("timescale_server")
def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "hearthwatch", "demo", "--json", "--keep", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    assert any("gateway_connected" in line for line in demo.stdout)
    children = children_of(demo.pid)
    assert len(children) >= 9
    demo.send_signal(signal.SIGINT)
    _, said = demo.communicate(timeout=180)
    assert demo.returncode == 0, said
    assert said.rstrip().endswith("demo: stopped")
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.usefixtures("timescale_server")
def test_its_intake_takes_a_reading_with_the_token_it_prints_and_its_minutes_are_rolled_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hearthwatch", "demo", "--json", "--keep", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as demo:
        assert demo.stdout is not None
        try:
            address, token = printed(demo.stdout)
            assert json.loads(send(address, token))["stored"] == 1
            with pytest.raises(urllib.error.HTTPError, match="401"):
                send(address, token[:-1])
            tending = tmp_path / "log" / "tending.log"
            assert any(rolled_up(tending) for _ in demo.stdout), "the demo ended before a minute was rolled up"
        finally:
            demo.send_signal(signal.SIGINT)


def printed(lines: Iterator[str]) -> tuple[str, str]:
    """Find the HTTP intake's address and token as a newcomer finds them."""
    said = ""
    for line in lines:
        said += line
        if found := re.search(r"intake +(http://\S+).*\n +TOKEN=(\S+)\n", said):
            return found[1], found[2]
    raise AssertionError(said)


def send(address: str, token: str) -> bytes:
    """Send one value of the first home's oximeter through the demo's gateway, of a time before its clock began."""
    at_ms = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
    document = {
        "version": 1, "outbox_id": "00112233-4455-6677-8899-aabbccddeeff", "first_row": 1, "boot_id": 1,
        "t0_ms": at_ms, "sent_ms": at_ms, "synchronised": True, "backlog": True,
        "devices": [{"device": "C0:00:00:00:00:01", "acquisition": "spot"}],
        "offset_ms": [0], "device": [0], "signal": ["spo2"], "value": [97],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    url = f"{address}/v1/readings?gateway=gw-demo"
    request = urllib.request.Request(url, json.dumps(document).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        body: bytes = answer.read()
        return body


def rolled_up(log: Path) -> bool:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return any(line["event"] == "job_done" and line["job"] == "minute_rollups" for line in lines)


def test_an_interrupted_proof_is_no_proof(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "hearthwatch", "demo", "--json", "--until", "tier3", "--keep", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stderr is not None
    assert any("starting" in line for line in demo.stderr)
    demo.send_signal(signal.SIGINT)
    _, said = demo.communicate(timeout=180)
    assert demo.returncode == 130, said


def children_of(parent: int) -> list[int]:
    """List the direct children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def test_help_teaches_and_a_missing_recording_is_named() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "demo", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "160", "TERM": "dumb"},
    ).stdout
    for option in ("--until", "--json", "--chaos", "--recording", "--speed", "--port"):
        assert option in help_text
    refused = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "demo", "--recording", "nowhere.csv"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "nowhere.csv" in refused.stderr


def test_a_folder_with_an_earlier_outbox_is_refused_since_its_readings_would_be_counted_as_lost(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").touch()
    status, lines, said = play("--keep", str(tmp_path))
    assert status == 2
    assert not lines
    assert "earlier" in said
