"""The checksums that makers of oximeters close their frames with."""

from collections.abc import Iterable
from functools import reduce
from operator import xor


def crc8(octets: Iterable[int]) -> int:
    """Give the CRC-8 of polynomial 07, start 0, unreflected; check value of "123456789": F4."""
    crc = 0
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


def crc8_maxim(octets: Iterable[int]) -> int:
    """Give the CRC-8/MAXIM (polynomial 31 reflected, start 0); check value of "123456789": A1."""
    crc = 0
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def sum7(octets: Iterable[int]) -> int:
    """Give the sum's low seven bits."""
    return sum(octets) & 0x7F


def sum8(octets: Iterable[int]) -> int:
    """Give the sum's low eight bits."""
    return sum(octets) & 0xFF


def xor8(octets: Iterable[int]) -> int:
    """Give all bytes combined by exclusive or; check value of "123456789": 31."""
    return reduce(xor, octets, 0)
