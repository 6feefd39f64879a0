"""The box itself: a folder that keeps data, and what the kernel shows of storage and voltage (laid out as in sysfs)."""

from pathlib import Path

from gateway.selftest.findings import Card
from gateway.selftest.machine import cards, free_bytes, is_voltage_low, keeps_data


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_folder_that_keeps_data_is_left_as_it_was(tmp_path: Path) -> None:
    error, sync_ms = keeps_data(tmp_path)
    assert (error, sync_ms >= 0) == (None, True)
    assert list(tmp_path.iterdir()) == []
    assert free_bytes(tmp_path) > 0


def test_a_folder_that_keeps_nothing_says_why(tmp_path: Path) -> None:
    assert keeps_data(tmp_path / "none") == ("No such file or directory", 0.0)
    error, _ = keeps_data(Path("/proc"))  # the kernel's: nobody writes there, not even root
    assert error is not None


def test_an_emmc_says_how_worn_it_is_and_its_partitions_how_many_errors(tmp_path: Path) -> None:
    write(tmp_path / "block/mmcblk0/device/life_time", "0x02 0x03\n")
    write(tmp_path / "block/mmcblk0boot0/device/life_time", "0x0b 0x0b\n")
    write(tmp_path / "block/mmcblk1/size", "1\n")  # an SD card says nothing
    write(tmp_path / "block/sda/size", "1\n")
    write(tmp_path / "fs/ext4/mmcblk0p1/errors_count", "0\n")
    write(tmp_path / "fs/ext4/mmcblk0p2/errors_count", "3\n")
    assert cards(tmp_path) == (
        Card(name="mmcblk0", worn_percent=30, file_system_errors=3),
        Card(name="mmcblk1", worn_percent=None, file_system_errors=0),
    )


def test_a_life_time_that_says_nothing_is_no_figure(tmp_path: Path) -> None:
    for number, text in enumerate(("0x00 0x00", "", "what")):
        write(tmp_path / f"block/mmcblk{number}/device/life_time", text)
    assert [card.worn_percent for card in cards(tmp_path)] == [None, None, None]


def test_the_voltage_is_asked_of_the_boards_own_sensor(tmp_path: Path) -> None:
    assert is_voltage_low(tmp_path) is None
    write(tmp_path / "class/hwmon/hwmon0/name", "cpu_thermal\n")
    write(tmp_path / "class/hwmon/hwmon1/name", "rpi_volt\n")
    write(tmp_path / "class/hwmon/hwmon1/in0_lcrit_alarm", "0\n")
    assert is_voltage_low(tmp_path) is False
    write(tmp_path / "class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert is_voltage_low(tmp_path) is True


def test_this_machine_can_be_asked() -> None:
    assert isinstance(cards(), tuple)
    assert is_voltage_low() in (None, False, True)
