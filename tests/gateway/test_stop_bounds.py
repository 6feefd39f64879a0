"""How long a clean stop may take at most, by its own bounds, is less than systemd waits before it kills."""

import re
from pathlib import Path

from gateway.app import DRAIN_S_MAX, LAST_WORDS_S_MAX, SETTLED_S_MAX
from gateway.bluetooth.adapter import STOP_S_MAX
from gateway.bluetooth.link import DISCONNECT_S_MAX, GOODBYE_S_MAX
from gateway.bluetooth.patience import LETTING_GO_S_MAX

UNIT = (Path(__file__).resolve().parents[2] / "deploy/gateway/hearthwatch-gateway.service").read_text(encoding="utf-8")


def test_systemd_waits_longer_than_all_bounds_of_a_stop_together() -> None:
    links = LETTING_GO_S_MAX + (GOODBYE_S_MAX + LETTING_GO_S_MAX) + (DISCONNECT_S_MAX + LETTING_GO_S_MAX)
    scanners = LETTING_GO_S_MAX + (STOP_S_MAX + LETTING_GO_S_MAX)
    others = LETTING_GO_S_MAX  # a call of the recovery's to bluetoothd
    last_words = 3 * LAST_WORDS_S_MAX + SETTLED_S_MAX
    bound_s = links + scanners + DRAIN_S_MAX + others + last_words
    (kills_after,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    (says,) = re.findall(r"its bounds add up to (\d+) s", UNIT)
    assert bound_s == float(says)
    assert bound_s + 10 <= float(kills_after)
