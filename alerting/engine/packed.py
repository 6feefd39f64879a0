"""Eight bucket counts in one 64-bit word: sums and masks over them without looking at each (SIMD within a register)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from vitals.sustained import Grain

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.integer[Any]]

_EVEN_BYTES = np.uint64(0x00FF_00FF_00FF_00FF)
_LANES = np.uint64(0x0001_0001_0001_0001)
_LOW_BITS = np.uint64(0x7F7F_7F7F_7F7F_7F7F)
_HIGH_BITS = np.uint64(0x8080_8080_8080_8080)
_BYTE, _TOP_LANE = np.uint64(8), np.uint64(48)


def total(words: Words) -> Ints:
    """Add up the bytes of each row; shape (n, words) to (n,)."""
    lanes = (words & _EVEN_BYTES) + ((words >> _BYTE) & _EVEN_BYTES)
    return _across(lanes * _LANES >> _TOP_LANE).astype(np.int64)


def filled(words: Words) -> Ints:
    """Count the bytes of each row that are not zero; shape (n, words) to (n,)."""
    return _across(np.bitwise_count(((words & _LOW_BITS) + _LOW_BITS | words) & _HIGH_BITS)).astype(np.int64)


def last_buckets(grain: Grain, count: int) -> Words:
    """Mask the last buckets, the present one among them; shape (slots, words), by the present one's slot."""
    return _mask(_behind(grain) < count)


def kept(grain: Grain) -> Words:
    """Mask what stays when time moves on; shape (slots, slots + 1, words), by the present slot and buckets passed."""
    passed = np.arange(grain.slots + 1)
    return _mask(_behind(grain)[:, None, :] >= passed[:, None])


def _behind(grain: Grain) -> Ints:
    """How many buckets each slot lies behind the present one; shape (slots, slots)."""
    slots = np.arange(grain.slots)
    return (slots[:, None] - slots) % grain.slots


def _mask(chosen: npt.NDArray[np.bool_]) -> Words:
    return (chosen * np.uint8(255)).view(np.uint64)


def _across(each: npt.NDArray[np.unsignedinteger[npt.NBitBase]]) -> npt.NDArray[np.unsignedinteger[npt.NBitBase]]:
    return each[:, 0] if each.shape[1] == 1 else each[:, 0] + each[:, 1]
