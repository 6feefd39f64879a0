"""Device Information strings in, status words out."""

import pytest

from gateway.gatt.decoded import DecodeError
from gateway.gatt.decoders import decode
from gateway.gatt.device_information import STRINGS


@pytest.mark.parametrize(
    ("uuid", "payload", "word"),
    [
        # An Omron HEM-6232T, as dumped in userx14/omblepy issue 58.
        ("2a29", "4f4d524f4e4845414c544843415245", "manufacturer=OMRONHEALTHCARE"),
        ("2a28", "30303030303030303030303030313034", "software=0000000000000104"),
        ("2a24", "594858203131300000", "model=YHX 110"),  # zeros to fill the field
        ("2a25", "20313233343520", "serial=12345"),
        ("2a26", "", "firmware="),
        ("2a27", "e9b1bce8b783", "hardware=鱼跃"),
        ("2a27", "411b5b316d42", "hardware=A�[1mB"),  # an escape sequence stays out of the terminal
    ],
)
def test_a_string_is_a_word(uuid: str, payload: str, word: str) -> None:
    decoded = decode(uuid, bytes.fromhex(payload))
    assert (decoded.status, decoded.measurements, decoded.device_time) == ((word,), (), None)


def test_the_six_strings_are_named() -> None:
    assert STRINGS == {
        "2a29": "manufacturer",
        "2a24": "model",
        "2a25": "serial",
        "2a26": "firmware",
        "2a27": "hardware",
        "2a28": "software",
    }


@pytest.mark.parametrize(("payload", "offset"), [("ff", 0), ("4142e9b1", 2), ("41c0af", 1), ("eda080", 0)])
def test_what_is_no_utf_8_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode("2a24", bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a24", offset)
