"""docs/decoders.md says what the code does: its tables are the code's tables, its examples are run."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.commands import app
from gateway.gatt.blood_pressure import STATUS
from gateway.gatt.decoders import DECODERS
from gateway.gatt.glucose import ANNUNCIATION
from gateway.gatt.plx_status import MEASUREMENT_STATUS, SENSOR_STATUS
from gateway.gatt.status_bits import StatusBit
from vitals.signals import SIGNALS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "decoders.md").read_text()
COMMAND = "$ hearthwatch gateway "
ASKS_FOR_THE_CODE = "; echo $?"
EXAMPLES = [
    example.partition("\n")[::2]
    for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    for example in re.split(rf"^{re.escape(COMMAND)}", block, flags=re.MULTILINE)[1:]
]


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_gives_what_the_page_shows(command: str, output: str) -> None:
    asks = command.endswith(ASKS_FOR_THE_CODE)
    result = CliRunner().invoke(app, shlex.split(command.removesuffix(ASKS_FOR_THE_CODE)))
    shown = result.stdout + result.stderr + (f"{result.exit_code}\n" if asks else "")
    assert shown == output
    assert asks or result.exit_code == 0


def test_there_are_ten_examples_and_more() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("PLX Measurement Status", MEASUREMENT_STATUS),
        ("PLX Device and Sensor Status", SENSOR_STATUS),
        ("Blood pressure, Measurement Status", STATUS),
        ("Glucose, Sensor Status Annunciation", ANNUNCIATION),
    ],
)
def test_a_table_of_bits_is_the_codes(heading: str, table: dict[int, StatusBit]) -> None:
    section = PAGE.partition(f"**{heading}**")[2].partition("\n\n")[2].partition("\n\n")[0]
    assert section.splitlines()[2:] == [
        f"| {number} | `{bit.name}` | "
        + (f"{bit.finding.quality.name.lower()} | {bit.finding.reason.name.lower()} |" if bit.finding else "| |")
        for number, bit in table.items()
    ]


def test_the_units_are_the_codes() -> None:
    for signal, spec in SIGNALS.items():
        low, high = spec.plausible
        assert f"| `{signal}` | {spec.unit} | {low:g} to {high:g} |" in PAGE


def test_every_characteristic_stands_on_the_page() -> None:
    section = PAGE.partition("## Characteristics")[2].partition("## Units")[0]
    assert set(re.findall(r"2A[0-9A-F]{2}", section)) == {uuid.upper() for uuid in DECODERS}
