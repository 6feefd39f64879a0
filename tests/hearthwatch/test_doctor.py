"""The doctor: says what is wrong with an installation and the way out, by really trying each thing."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.outbox.outbox import Outbox
from hearthwatch.doctor import broker, database, machine, mosquitto_settings, registry
from hearthwatch.doctor.adapter import adapter
from hearthwatch.doctor.judging import judging
from hearthwatch.doctor.notices import links
from hearthwatch.services import mosquitto
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import LOOPBACK, free_port
from hearthwatch.services.postgres import Postgres
from ingest.feed import BatchKind
from ingest.store.log import append
from tests.ingest.service import wait_until
from vitals.finding import Finding, Language, Verdict, as_text

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SITE_CONFIG = (Path(__file__).resolve().parents[2] / "deploy" / "mosquitto" / "hearthwatch.conf").read_text()


def test_a_living_broker_is_fine(broker_server: Mosquitto) -> None:
    finding = broker.broker(LOOPBACK, broker_server.port)
    assert finding.verdict is Verdict.FINE
    assert "MQTT 5" in finding.found.en


def test_a_dead_broker_is_broken_and_named(own_broker: Mosquitto) -> None:
    own_broker.kill()
    finding = broker.broker(LOOPBACK, own_broker.port)
    assert finding.verdict is Verdict.BROKEN
    assert f"{LOOPBACK}:{own_broker.port}" in finding.found.en
    assert finding.way_out is not None


def test_a_server_that_hangs_up_on_mqtt_is_broken() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)

        thread = threading.Thread(target=hang_up)
        thread.start()
        finding = broker.broker(LOOPBACK, server.getsockname()[1])
        thread.join()
    assert finding.verdict is Verdict.BROKEN


def test_a_server_that_never_answers_is_broken() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        finding = broker.broker(LOOPBACK, server.getsockname()[1], patience_s=0.3)
    assert finding.verdict is Verdict.BROKEN


def test_our_own_broker_settings_lose_nothing_silently(own_broker: Mosquitto) -> None:
    findings = broker.broker_settings(own_broker.directory / "mosquitto.conf")
    assert [(each.verdict, each.found.en.split()[0]) for each in findings] == [(Verdict.WARNING, "allow_anonymous")]


def test_the_defaults_of_mosquitto_are_broken() -> None:
    said = " ".join(each.found.en for each in mosquitto_settings.judge("listener 1883\n"))
    for setting in ("max_queued_messages is 1000", "persistence is off", "max_inflight_messages is 20",
                    "use_username_as_clientid is off"):  # fmt: skip
        assert setting in said


def test_the_site_configuration_we_ship_is_fine() -> None:
    assert [each.verdict for each in mosquitto_settings.judge(SITE_CONFIG)] == [Verdict.FINE]


@pytest.mark.parametrize(
    ("line", "instead", "verdict"),
    [
        ("max_queued_messages 0", "", Verdict.BROKEN),
        ("max_queued_bytes 268435456", "", Verdict.WARNING),
        ("max_queued_messages 0", "max_queued_messages 5000", Verdict.BROKEN),
        ("max_queued_bytes 268435456", "max_queued_bytes 16777215", Verdict.BROKEN),
        ("max_inflight_messages 0", "", Verdict.WARNING),
        ("max_inflight_messages 0", "max_inflight_messages 20", Verdict.WARNING),
        ("use_identity_as_username true", "", Verdict.BROKEN),
        ("persistence true", "persistence false", Verdict.BROKEN),
        ("allow_anonymous false", "allow_anonymous true", Verdict.WARNING),
        ("persistent_client_expiration 7d", "persistent_client_expiration 23h", Verdict.BROKEN),
        ("persistent_client_expiration 7d", "persistent_client_expiration soon", Verdict.BROKEN),
        ("persistent_client_expiration 7d", "retain_available false", Verdict.BROKEN),
        ("max_packet_size 524288", "max_packet_size 262144", Verdict.BROKEN),
        ("max_packet_size 524288", "message_size_limit 1000", Verdict.BROKEN),
        ("persistence true", "", Verdict.BROKEN),
        ("autosave_interval 30", "autosave_interval 61", Verdict.WARNING),
        ("use_username_as_clientid true", "", Verdict.BROKEN),
        ("acl_file /etc/mosquitto/hearthwatch.acl", "", Verdict.BROKEN),
        ("certfile /etc/hearthwatch-site/broker/broker.pem", "", Verdict.WARNING),
        ("crlfile /etc/hearthwatch-site/broker/crl.pem", "", Verdict.WARNING),
    ],
)
def test_each_setting_that_is_taken_out_of_it_is_named(line: str, instead: str, verdict: Verdict) -> None:
    assert f"\n{line}\n" in SITE_CONFIG
    (finding,) = mosquitto_settings.judge(SITE_CONFIG.replace(f"\n{line}\n", f"\n{instead}\n"))
    assert finding.verdict is verdict
    assert (instead or line).split()[0] in finding.found.en


WRONG = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
autosave_interval 0
max_queued_messages 5
max_inflight_messages 20
message_size_limit 1000
retain_available false
persistent_client_expiration 1h
"""


def test_a_real_broker_runs_with_what_the_doctor_names_and_drops_silently() -> None:
    """The names are Mosquitto's own (it starts with no other), and what is said of the worst of them is true."""
    wrong = mosquitto.Mosquitto(config=lambda port, _: WRONG.format(port=port))
    try:
        wrong.start()
        said = " ".join(each.found.en for each in broker.broker_settings(wrong.directory / "mosquitto.conf"))
        for setting in ("allow_anonymous", "persistence", "max_queued_messages", "max_inflight_messages",
                        "message_size_limit", "retain_available", "persistent_client_expiration"):  # fmt: skip
            assert setting in said
        heard: list[bytes] = []
        with client(wrong, heard) as reader:
            reader.subscribe("readings", qos=1)
            wait_until(lambda: publish(wrong, b"first") == {"Success"} and heard, "it has subscribed")
        assert publish(wrong, *(b"%d" % number for number in range(60))) == {"Success"}
        with client(wrong, heard):
            publish(wrong, b"last")
            wait_until(lambda: b"last" in heard, "all that the broker kept has come")
        assert len({each for each in heard if each.isdigit()}) < 60
    finally:
        wrong.close()


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("mosquitto version 2.0.21", Verdict.FINE),
        ("mosquitto version 2.1.2", Verdict.FINE),
        ("mosquitto version 2.0.20", Verdict.BROKEN),
        ("mosquitto version 1.6.12", Verdict.BROKEN),
        ("another broker", Verdict.WARNING),
        ("", Verdict.WARNING),
    ],
)
def test_a_broker_that_is_too_old_is_broken(said: str, verdict: Verdict) -> None:
    assert mosquitto_settings.judge_version(said).verdict is verdict


def test_the_least_version_is_that_of_our_own_servers() -> None:
    assert mosquitto_settings.VERSION_MIN == mosquitto.VERSION_MIN


def test_the_version_of_an_installed_program_is_judged(tmp_path: Path) -> None:
    program = tmp_path / "mosquitto-of-the-test"
    program.write_text("#!/bin/sh\necho 'mosquitto version 2.0.11'\n")
    program.chmod(0o755)
    assert [each.verdict for each in broker.installed_version(str(program))] == [Verdict.BROKEN]
    assert broker.installed_version("no-such-mosquitto") == []


def test_a_living_broker_says_its_version(broker_server: Mosquitto) -> None:
    assert "(mosquitto version 2." in broker.broker(LOOPBACK, broker_server.port).found.en


def test_the_settings_of_an_included_folder_count(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "site.conf").write_text("max_queued_messages 0\nmax_queued_bytes 268435456\n")
    main = tmp_path / "mosquitto.conf"
    main.write_text(f"persistence true\nautosave_interval 60\ninclude_dir {tmp_path}/conf.d\n")
    assert not [each for each in broker.broker_settings(main) if "queued" in each.found.en]


def test_a_settings_file_that_is_not_there_is_broken(tmp_path: Path) -> None:
    assert broker.broker_settings(tmp_path / "none")[0].verdict is Verdict.BROKEN


def test_a_dead_database_is_broken_with_the_drivers_reason() -> None:
    finding = database.reachable(f"host={LOOPBACK} port={free_port()} dbname=x")
    assert finding.verdict is Verdict.BROKEN
    assert "refused" in finding.found.en


def test_a_database_without_migrations_is_broken(empty_database: str) -> None:
    finding = database.migrated(empty_database)
    assert finding.verdict is Verdict.BROKEN
    assert finding.way_out is not None
    assert "db migrate" in finding.way_out.en


def test_a_database_of_a_newer_program_is_broken(any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as db:
        db.execute("INSERT INTO schema_migration (room, number, name, sha256) VALUES ('care', 9999, 'next', '')")
    finding = database.migrated(any_database)
    assert finding.verdict is Verdict.BROKEN
    assert "9999_next" in finding.found.en


def test_a_migrated_database_is_fine(any_database: str, any_server: Postgres) -> None:
    findings = [
        database.reachable(any_database),
        database.migrated(any_database),
        database.same_time(any_database),
        database.edition(any_database),
    ]
    assert [each.verdict for each in findings] == [Verdict.FINE] * 4
    assert ("TimescaleDB" in findings[-1].found.en) == (any_server.edition == "timescale")


def test_plain_tables_on_a_server_with_timescale_are_a_warning(timescale_server: Postgres, database_name: str) -> None:
    dsn = timescale_server.dsn(database_name)
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("CREATE TABLE schema_migration (room text)")
    assert database.edition(dsn).verdict is Verdict.WARNING


@pytest.fixture
def database_name(timescale_server: Postgres) -> Iterator[str]:
    """An empty database on TimescaleDB, without the extension."""
    with psycopg.connect(timescale_server.dsn(), autocommit=True) as db:
        db.execute("CREATE DATABASE without_extension TEMPLATE template0")
        yield "without_extension"
        db.execute("DROP DATABASE without_extension WITH (FORCE)")


def test_an_empty_registry_is_broken(any_database: str) -> None:
    findings = registry.registry(any_database, NOW)
    assert [(each.check, each.verdict) for each in findings] == [
        ("patients", Verdict.BROKEN),
        ("duty", Verdict.UNKNOWN),
    ]


def test_a_registry_with_patients_devices_and_duty_is_fine(any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as db:
        db.execute(_REGISTRY, {"from": "2026-10-01Z"})
    assert _verdicts(registry.registry(any_database, NOW)) == [Verdict.FINE, Verdict.FINE]
    patients, duty = registry.registry(any_database, datetime(2027, 11, 1, tzinfo=UTC))  # the roster has run out
    assert (patients.verdict, duty.verdict) == (Verdict.FINE, Verdict.BROKEN)
    assert "county_expert (o)" in duty.found.en
    patients, _ = registry.registry(any_database, datetime(2026, 9, 1, tzinfo=UTC))  # before anybody wore a device
    assert patients.verdict is Verdict.BROKEN


def test_an_old_python_is_broken() -> None:
    assert machine.python_version((3, 10, 9)).verdict is Verdict.BROKEN
    assert machine.python_version((3, 11, 0)).verdict is Verdict.FINE


def test_a_clock_that_cannot_be_is_broken_and_one_that_nobody_keeps_a_warning() -> None:
    assert machine.wall_clock(datetime(1970, 1, 1, tzinfo=UTC), synchronised=True).verdict is Verdict.BROKEN
    assert machine.wall_clock(NOW, synchronised=False).verdict is Verdict.WARNING
    assert machine.wall_clock(NOW, synchronised=True).verdict is Verdict.FINE
    assert machine.wall_clock().verdict in Verdict


def test_a_scaled_clock_is_a_warning_and_a_wrong_one_broken() -> None:
    assert machine.clinical_clock("", 1).verdict is Verdict.FINE
    assert machine.clinical_clock("2026-01-01T00:00:00Z", 20).verdict is Verdict.WARNING
    assert machine.clinical_clock("yesterday", 20).verdict is Verdict.BROKEN
    assert machine.clinical_clock("", 20).verdict is Verdict.BROKEN


@contextmanager
def client(server: Mosquitto, heard: list[bytes]) -> Iterator[Client]:
    """A reader whose session outlives its connection."""
    made = Client(CallbackAPIVersion.VERSION2, client_id="reader", protocol=MQTTProtocolVersion.MQTTv5)
    made.on_message = lambda _client, _data, message: heard.append(bytes(message.payload))
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 600
    made.connect(LOOPBACK, server.port, clean_start=False, properties=properties)
    made.loop_start()
    wait_until(made.is_connected, "the reader is connected")
    yield made
    made.disconnect()
    made.loop_stop()


def publish(server: Mosquitto, *payloads: bytes) -> set[str]:
    """Publish with QoS 1 and give what the broker answered."""
    answers: dict[int, str] = {}
    made = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    made.on_publish = lambda _c, _d, mid, reason, _p: answers.update({mid: str(reason)})
    made.connect(LOOPBACK, server.port)
    made.loop_start()
    wait_until(made.is_connected, "the publisher is connected")
    for payload in payloads:
        made.publish("readings", payload, qos=1)
    wait_until(lambda: len(answers) == len(payloads), "every message is answered")
    made.disconnect()
    made.loop_stop()
    return {"Success" if answer == "No matching subscribers" else answer for answer in answers.values()}


BUS_CONFIG = """<busconfig>
  <type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""


def test_a_bus_without_bluez_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, config = tmp_path / "bus", tmp_path / "bus.conf"
    config.write_text(BUS_CONFIG.format(path=path))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
    assert "bus cannot be reached" in adapter().found.en
    with subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"], stdout=subprocess.PIPE
    ) as daemon:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        finding = adapter()
        daemon.terminate()
    assert finding.verdict is Verdict.BROKEN
    assert "BlueZ does not answer" in finding.found.en


def test_every_finding_that_is_not_fine_has_a_way_out_in_both_languages(tmp_path: Path) -> None:
    findings: list[Finding] = [*mosquitto_settings.judge(""), *broker.broker_settings(tmp_path / "none")]
    for each in findings:
        assert each.way_out is not None
    for language in Language:
        assert as_text(findings, language).count("→") == len(findings)


def test_the_command_says_what_is_broken_and_exits_with_1(own_broker: Mosquitto) -> None:
    own_broker.kill()
    done = _doctor("--json", HEARTHWATCH_BROKER_PORT=str(own_broker.port))
    said = {each["check"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 1
    assert said["broker"]["verdict"] == "broken"
    assert str(own_broker.port) in said["broker"]["found"]
    assert said["migrations"]["verdict"] == "unknown"


def test_a_gateway_is_asked_with_the_gateways_own_settings(broker_server: Mosquitto, tmp_path: Path) -> None:
    config, path = tmp_path / "gateway.toml", tmp_path / "outbox.sqlite"
    config.write_text(f'gateway_id = "gw-1"\nbroker_port = {broker_server.port}\noutbox_path = "{path}"\n')
    Outbox(path, bytes_max=1 << 20, undecoded_max=1).close()
    said = _gateway_findings("--config", str(config), HEARTHWATCH_BROKER_PORT=str(free_port()))
    assert [said[check]["verdict"] for check in ("broker", "outbox")] == ["fine"] * 2
    assert str(broker_server.port) in said["broker"]["found"]
    path.write_bytes(b"no database" * 100)
    dead = str(free_port())
    said = _gateway_findings("--config", str(config), HEARTHWATCH_GATEWAY_BROKER_PORT=dead)
    assert [said[check]["verdict"] for check in ("broker", "outbox")] == ["broken"] * 2
    assert dead in said["broker"]["found"]
    assert "HEARTHWATCH_GATEWAY_BROKER_HOST" in said["broker"]["way_out"]
    path.unlink()
    assert _gateway_findings("--config", str(config))["outbox"]["verdict"] == "warning"


def test_a_gateway_with_a_login_is_not_logged_in_for(broker_server: Mosquitto) -> None:
    login = {"HEARTHWATCH_GATEWAY_BROKER_USERNAME": "gw-1", "HEARTHWATCH_GATEWAY_BROKER_PORT": str(broker_server.port)}
    said = _gateway_findings(HEARTHWATCH_GATEWAY_GATEWAY_ID="gw-1", **login)
    assert said["broker"]["verdict"] == "fine"
    assert "not tried" in said["broker"]["found"]


def test_wrong_settings_of_a_gateway_are_a_finding() -> None:
    said = _gateway_findings(HEARTHWATCH_GATEWAY_BROKER_PROT="1")
    assert said["gateway settings"]["verdict"] == "broken"
    assert "HEARTHWATCH_GATEWAY_BROKER_PROT" in said["gateway settings"]["found"]
    assert [said[check]["verdict"] for check in ("broker", "outbox")] == ["unknown"] * 2


def test_the_doctor_of_a_gateway_needs_no_database_driver() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from hearthwatch.doctor.commands import Role, examine\n"
        "from hearthwatch.settings import Settings\n"
        "print(len(examine(Settings(), Role.GATEWAY)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "7", done.stderr


def test_the_command_speaks_chinese_where_the_system_does() -> None:
    assert "无法连接" in _doctor(LANG="zh_CN.UTF-8", LC_ALL="").stdout
    assert "cannot be reached" in _doctor("--lang", "en", LANG="zh_CN.UTF-8", LC_ALL="").stdout


def test_a_wrong_environment_is_named() -> None:
    done = _doctor(HEARTHWATCH_BROKER_PORT="many")
    assert done.returncode == 1
    assert done.stderr == "hearthwatch doctor: HEARTHWATCH_BROKER_PORT: 'many' is not a whole number\n"


def test_wrong_settings_of_ingest_are_a_finding_that_names_the_variable() -> None:
    done = _doctor("--json", "--lang", "en", "--role", "server", HEARTHWATCH_INGEST_WINDOW_MS="abc")
    said = {each["check"]: each for each in json.loads(done.stdout)}
    wrong = "HEARTHWATCH_INGEST_WINDOW_MS: 'abc' is not a whole number"
    assert said["broker"]["found"] == f"ingest's settings are wrong: {wrong}"


def test_a_wrong_connection_string_is_a_finding() -> None:
    done = _doctor("--json", "--lang", "en", "--role", "server", HEARTHWATCH_DATABASE_DSN="nonsense")
    said = {each["check"]: each for each in json.loads(done.stdout)}
    assert said["database"]["found"] == "HEARTHWATCH_DATABASE_DSN is no connection string"
    assert said["migrations"]["verdict"] == "unknown"


def test_that_the_brokers_settings_were_not_looked_at_is_said_and_is_not_broken() -> None:
    done = _doctor("--json", "--lang", "en", "--role", "server")
    [said] = [each for each in json.loads(done.stdout) if each["check"] == "broker settings"]
    assert said["verdict"] == "unknown"
    assert said["found"] == "not looked at: name the file with --mosquitto-conf"
    assert "broker settings" not in _gateway_findings()


def _doctor(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    nowhere = {"HEARTHWATCH_DATABASE_DSN": f"host={LOOPBACK} port={free_port()} dbname=x"}
    return subprocess.run(
        [sys.executable, "-m", "hearthwatch", "doctor", *arguments],
        env={**os.environ, **nowhere, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def _gateway_findings(*arguments: str, **env: str) -> dict[str, dict[str, str]]:
    done = _doctor("--role", "gateway", "--json", "--lang", "en", *arguments, **env)
    assert done.stdout, done.stderr
    return {each["check"]: each for each in json.loads(done.stdout)}


def _verdicts(findings: list[Finding]) -> list[Verdict]:
    return [each.verdict for each in findings]


_REGISTRY = """
WITH org AS (INSERT INTO organisation (key, name, name_en, facility_role) VALUES ('o', 'o', 'o', 'county')
             RETURNING organisation_id),
     doctor AS (INSERT INTO person (key, name, name_en, organisation_id, role, service_tier)
                SELECT 'd', 'd', 'd', organisation_id, 'family_doctor', 2 FROM org RETURNING person_id),
     device AS (INSERT INTO device (key, kind) VALUES ('x', 'oximeter') RETURNING device_id),
     patient AS (INSERT INTO patient (key, name, initials, born_on, sex, organisation_id, family_doctor_id,
                                      risk_colour, service_tier)
                 SELECT 'p', 'p', 'p', '1950-01-01', 'female', organisation_id, person_id, 'red', 2
                   FROM org, doctor RETURNING patient_id),
     binding AS (INSERT INTO binding (device_id, patient_id, valid)
                 SELECT device_id, patient_id, tstzrange(%(from)s, NULL) FROM device, patient RETURNING 1)
INSERT INTO duty (organisation_id, duty_role, person_id, valid)
SELECT organisation_id, role, person_id, tstzrange(%(from)s, '2027-01-01Z')
  FROM org, doctor, unnest(ARRAY['township_duty', 'county_expert']) AS role
"""


def test_a_patient_whose_readings_can_not_be_judged_is_broken_and_named(database: str) -> None:
    assert judging(database, NOW).verdict is Verdict.FINE
    with psycopg.connect(database) as db:
        db.execute("INSERT INTO unjudged VALUES (7, now(), now(), now(), 3, 'ValueError: no line')")
    found = judging(database, NOW)
    assert found.verdict is Verdict.BROKEN
    assert "?: ValueError: no line" in found.found.en


def test_readings_that_nobody_has_judged_for_a_minute_are_broken_and_a_way_out_is_named(database: str) -> None:
    with psycopg.connect(database) as db:
        append(db, BatchKind.LIMITS, [(7, b"")], received_at=NOW)
    assert judging(database, NOW + timedelta(seconds=59)).verdict is Verdict.FINE
    found = judging(database, NOW + timedelta(seconds=61))
    assert found.verdict is Verdict.BROKEN
    assert "1 of 32 parts of the patients wait since 2026-11-01 12:00:00" in found.found.en


@pytest.mark.parametrize(
    ("present", "before", "verdict"),
    [
        ("", "", Verdict.WARNING),
        ("", "a secret of last year", Verdict.WARNING),
        ("short", "", Verdict.BROKEN),
        ("a secret of the tests", "short", Verdict.BROKEN),
        ("a secret of the tests", "", Verdict.FINE),
        ("a secret of the tests", "a secret of last year", Verdict.FINE),
    ],
)
def test_links_of_notices_need_a_secret_that_is_no_guess(present: str, before: str, verdict: Verdict) -> None:
    found = links({"HEARTHWATCH_LINK_SECRET": present, "HEARTHWATCH_LINK_SECRET_BEFORE": before})
    assert found.verdict is verdict
    assert "short" not in found.found.en.split("too short")[0]
