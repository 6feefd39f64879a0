"""No name, initials, key, bed or telephone number of anybody stands in a log or a metric, whatever happens."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg

from hearthwatch.services.mosquitto import Mosquitto
from tests.ingest.county import LENT, OXIMETER, REGISTRY, SPO2, UNBOUND, Home, connect, put, rows_of
from tests.ingest.service import Publisher, Service, wait_until
from tests.ingest.test_tending import Tend
from vitals.topics import Leaf

PEOPLE = """
UPDATE patient SET key = 'secretkey' || patient_id, name = '欧阳密' || patient_id, initials = 'QXZ' || patient_id,
    bed = 'bed-hidden-' || patient_id, household_phone = '1380013800' || patient_id, born_on = '1947-03-29';
UPDATE person SET key = 'doctorkey', name = '上官医', name_en = 'Dr Shangguan';
"""
NEVER = ("secretkey", "欧阳", "QXZ", "bed-hidden", "1380013800", "1947-03-29", "doctorkey", "上官", "Shangguan")
REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$

BEGIN
    IF NEW.spo2 = 6666 THEN RAISE EXCEPTION 'no' USING ERRCODE = 'data_exception'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON sample FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE sample ADD CONSTRAINT never CHECK (spo2 <> 7777);
"""


def test_logs_and_metrics_of_a_run_name_nobody(database: str, own_broker: Mosquitto, tmp_path: Path) -> None:
    now_ms = int(time.time() * 1000)
    home = Home()
    with (
        connect(database) as county,
        Service(database, own_broker, tmp_path, log_level="DEBUG") as service,
        Tend(database, tmp_path, "tend") as tend,
        Publisher(own_broker, "gw-1") as gateway,
        Publisher(own_broker, "gw-9") as stranger,
    ):
        county.execute(REGISTRY.encode() + PEOPLE.encode() + REFUSING.encode())
        for value, device in ((9500, OXIMETER), (6666, OXIMETER), (7777, OXIMETER), (9400, UNBOUND), (9300, LENT)):
            gateway.send(home.message([(0, SPO2, value)], devices=[device], t0_ms=now_ms - value))
        gateway.send(b"XX")
        gateway.send(b'{"state": "online"}', Leaf.STATUS)
        stranger.send(Home().message([(0, SPO2, 9700)], t0_ms=now_ms))
        expected = [("store_error", 2), ("unbound_device", 1), ("unknown_gateway", 1), ("wrong_magic", 1)]
        wait_until(lambda: reasons(county) == expected, "all is refused that should be")
        county.execute("INSERT INTO binding (device_id, patient_id, valid) VALUES (19, 1, '[2020-01-01,)')")
        county.execute("UPDATE registry_version SET version = version + 1")
        wait_until(lambda: (9400,) in rows_of(county, "SELECT spo2 FROM sample"), "the unbound one is lifted")
        cut_off(county)
        put(county, home.message([(0, SPO2, 9600)], t0_ms=now_ms), received_ms=now_ms)
        gateway.send(home.message([(1, SPO2, 9100)], t0_ms=now_ms))
        wait_until(lambda: (9100,) in rows_of(county, "SELECT spo2 FROM sample"), "it goes on after its connection")
        texts = {
            "metrics": metrics(service.metrics_port),
            "metrics of tend": metrics(tend.port),
            "commands": commands(database),
            "log": service.log(),
            "log of tend": (tmp_path / "tend.log").read_text(),
        }
    for name, text in texts.items():
        assert len(text) > 100, name
        assert [each for each in NEVER if each in text] == [], name
    for name in ("log", "log of tend"):
        for line in texts[name].splitlines():
            assert {"event", "level", "timestamp"} <= set(json.loads(line)), line
    assert "the database refuses this batch" in texts["log"], "what is looked through has the worst in it"


def reasons(county: psycopg.Connection[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return rows_of(county, "SELECT reason, count(*) FROM rejected GROUP BY 1 ORDER BY 1")


def cut_off(county: psycopg.Connection[tuple[object, ...]]) -> None:
    """End every connection of ours but this one."""
    county.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'hearthwatch-%'"
    )


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def commands(dsn: str) -> str:
    """Give what the commands about readings say, on both channels."""
    said = ""
    for arguments in (
        ["rejected"],
        ["rejected", "--count"],
        ["replay", "--dry-run"],
        ["account"],
        ["tend", "--status"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "hearthwatch", "ingest", *arguments],
            env={**os.environ, "HEARTHWATCH_DATABASE_DSN": dsn, "HEARTHWATCH_LOG_LEVEL": "DEBUG"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said += done.stdout + done.stderr
    return said
