"""The checksums' own check values, and frames that devices closed with them."""

from gateway.drivers.checksums import crc8, crc8_maxim, sum7, sum8, xor8

CHECK = b"123456789"


def test_the_published_check_values() -> None:
    assert crc8(CHECK) == 0xF4  # CRC-8/SMBUS in the catalogue of parametrised CRC algorithms
    assert crc8_maxim(CHECK) == 0xA1  # CRC-8/MAXIM-DOW, the same catalogue
    assert xor8(CHECK) == 0x31  # by hand: 1 to 9 leave 1, nine times 30 leaves 30


def test_frames_that_devices_and_their_makers_closed() -> None:
    assert crc8(bytes.fromhex("aa17e800000000")) == 0x1B  # ecostech/viatom-ble viatom-ble.py
    assert crc8(bytes.fromhex("031f0003")) == 0xD6  # shawn-gxp/sh3-pi medical_ble_toolkit/parsers/mightysat.py
    assert crc8_maxim(bytes.fromhex("aa55f00303 03")) == 0xF6  # pedasmith/BluetoothDeviceController, PC60FW
    assert sum7((0x9B, 0x7F)) == 0x1A  # chenders/AnxietyWatch EMAYRealtimeService.swift
    assert sum8(bytes.fromhex("0a55004f6314bf39")) == 0x1D  # roger-/FS20F parser.py


def test_nothing_sums_to_nothing() -> None:
    assert {each(b"") for each in (crc8, crc8_maxim, sum7, sum8, xor8)} == {0}
