"""`hearthwatch gateway decode`: payloads and notifications in, a line of JSON for each out."""

import json
import re

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.commands import app
from gateway.drivers.table import DRIVER_BY_NAME


def decode(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["decode", *arguments], env={"COLUMNS": "100"})


def test_a_payload_is_a_document_of_readings_time_and_status() -> None:
    result = decode("2a5e", "0f" + "9ef34800" + "e807021d173b3a" + "8000" + "200000" + "1de0")
    assert result.exit_code == 0
    low = {"quality": "questionable", "reasons": ["low_perfusion"]}
    assert json.loads(result.stdout) == {
        "readings": [
            {"signal": "spo2", "value": 92.6, "unit": "%", **low},
            {"signal": "pulse", "value": 72.0, "unit": "/min", **low},
            {"signal": "perfusion_index", "value": 0.29, "unit": "%", **low},
        ],
        "measured_at": "2024-02-29T23:59:58",
        "status": ["validated", "low_perfusion"],
    }


def test_a_special_is_null() -> None:
    result = decode("0x2A1C", "0xff" + "ffff7f00" + "00000000000000" + "02")
    (reading,) = json.loads(result.stdout)["readings"]
    assert (reading["value"], reading["quality"], reading["reasons"]) == (None, "invalid", ["not_a_number"])


@pytest.mark.parametrize("spelling", ["0061004800", "0x0061004800", "00:61:00:48:00", "00-61-00-48-00", "0061 0048 00"])
def test_bytes_may_be_spelled_in_several_ways(spelling: str) -> None:
    assert decode("2a5f", spelling).stdout == decode("2a5f", "0061004800").stdout


@pytest.mark.parametrize(
    ("uuid", "payload", "status"),
    [
        ("2a52", "05000c00", ["records_12"]),
        ("2a52", "06000106", ["report_no_records"]),
        ("2a29", "4e6f6e696e", ["manufacturer=Nonin"]),
        ("2a27", "e9b1bce8b783", ["hardware=鱼跃"]),
    ],
)
def test_what_measures_nothing_has_a_status(uuid: str, payload: str, status: list[str]) -> None:
    assert json.loads(decode(uuid, payload).stdout) == {"readings": [], "measured_at": None, "status": status}


@pytest.mark.parametrize(
    ("uuid", "payload", "said"),
    [
        ("2a5f", "006100", "2a5f byte 3: pulse rate needs 2 bytes, 0 left"),
        ("2a5f", "0061", "2a5f byte 2: SpO2 needs 2 bytes, 1 left"),
        ("2a5f", "", "2a5f byte 0: flags needs 1 bytes, 0 left"),
        ("2a98", "0048", "2a98 byte 0: no decoder for this characteristic"),
        ("2a5f", "006", "payload: byte 1 is only '6': 3 hexadecimal digits, a byte has two"),
        ("2a5f", "zz", "payload: byte 0 is 'zz': no hexadecimal"),
        ("2a5f", "0x00 61:0g", "payload: byte 2 is '0g': no hexadecimal"),
        ("2a5f", "00z", "payload: byte 1 is 'z': no hexadecimal"),
        ("2a5f", "006", "payload: "),
    ],
)
def test_a_malformed_payload_ends_with_2_and_names_the_byte(uuid: str, payload: str, said: str) -> None:
    result = decode(uuid, payload)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_several_payloads_are_several_lines_and_a_malformed_one_hides_no_other() -> None:
    result = decode("2a19", "57", "5757", "64")
    assert [json.loads(line)["readings"][0]["value"] for line in result.stdout.splitlines()] == [87.0, 100.0]
    assert result.stderr == "frame 2: 2a19 byte 1: 1 bytes after the last field\n"
    assert result.exit_code == 2
    assert "payload 2: byte 0 is '5g': no hexadecimal" in decode("2a19", "57", "5g").stderr


def test_a_driver_reads_notifications() -> None:
    result = decode("--driver", "bluetooth_sig", "2a5f", "0061004800", "0060004700")
    assert [json.loads(line)["readings"][0]["value"] for line in result.stdout.splitlines()] == [97.0, 96.0]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("notifications", "said"),
    [
        (("0a55004f", "6314bf39"), "0a55004f6314bf39 is passed over, as no frame begins there"),
        (("fe0a55", "004f"), "fe0a55004f is kept, 5 bytes of a frame of 10 bytes"),
        (("",), "they are empty"),
    ],
)
def test_notifications_without_a_whole_frame_say_what_became_of_them(notifications: tuple[str, ...], said: str) -> None:
    result = decode("--driver", "yuwell", "ffe4", *notifications)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"yuwell: no whole frame in {len(notifications)} notification(s): {said}\n"


def test_a_characteristic_that_a_driver_does_not_listen_to_is_named_beside_those_it_does() -> None:
    result = decode("--driver", "yuwell", "FFE0", "fe0a55004f6314bf391d")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "--driver yuwell: it does not listen to ffe0; it listens to ffe4\n"
    assert decode("--driver", "bthome", "FCD2", "40025409").exit_code == 0


def test_an_unknown_driver_is_told_which_there_are() -> None:
    result = decode("--driver", "jumpr", "2a5f", "00")
    assert result.exit_code == 2
    assert "jumpr" in result.stderr
    for name in DRIVER_BY_NAME:
        assert name in result.stderr


def test_help_teaches_by_examples_that_work() -> None:
    said = decode("--help").stdout
    examples = re.findall(r"hearthwatch gateway decode ((?:\S+ )*?[0-9a-f]{8,}(?: [0-9a-f]{8,})*)", said)
    assert len(examples) == 6
    for example in examples:
        assert decode(*example.split()).exit_code == 0, example
