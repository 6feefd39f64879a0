"""Which unclaimed devices are offered."""

import pytest

from gateway.drivers.driver import Kind
from gateway.drivers.table import DRIVER_BY_NAME, streams_seen
from gateway.session.nearby import KEPT_MAX, KEPT_S, NEWS_S, Nearby, Neighbour


def neighbour(address: str, *, heard_s: float = 0.0, rssi: int = -60) -> Neighbour:
    return Neighbour(
        address=address, name="", driver="d", product="p", kind=Kind.OXIMETER, streams=True, wellness=False, rssi=rssi,
        heard_s=heard_s,
    )  # fmt: skip


def addresses(nearby: Nearby, now_s: float = 0.0) -> list[str]:
    return [n.address for n in nearby.listed(now_s=now_s)]


def test_the_newest_stands_first_and_each_once() -> None:
    nearby = Nearby()
    for address in ("a", "b", "a"):
        nearby.heard(neighbour(address))
    assert addresses(nearby) == ["a", "b"]


def test_at_the_bound_the_one_unheard_for_longest_goes() -> None:
    nearby = Nearby()
    for number in range(KEPT_MAX):
        nearby.heard(neighbour(str(number)))
    nearby.heard(neighbour("0"))
    nearby.heard(neighbour("new"))
    assert len(addresses(nearby)) == KEPT_MAX
    assert "1" not in addresses(nearby)
    assert addresses(nearby)[:2] == ["new", "0"]


def test_who_went_away_is_no_longer_offered() -> None:
    nearby = Nearby()
    nearby.heard(neighbour("a", heard_s=10.0))
    assert addresses(nearby, 10.0 + KEPT_S) == ["a"]
    assert addresses(nearby, 10.0 + KEPT_S + 1) == []


def test_a_claimed_one_is_no_neighbour() -> None:
    nearby = Nearby()
    nearby.heard(neighbour("a"))
    nearby.forget("a")
    assert addresses(nearby) == []


def test_who_was_not_heard_for_a_while_is_news() -> None:
    nearby = Nearby()
    at = (0.0, 1.0, 1.0 + NEWS_S, 2.1 + 2 * NEWS_S)
    assert [nearby.heard(neighbour("a", heard_s=heard_s)) for heard_s in at] == [True, False, False, True]
    assert nearby.heard(neighbour("b", heard_s=at[-1]))


@pytest.mark.parametrize(
    ("driver", "services", "streams"),
    [
        ("bluetooth_sig", {"1822"}, True),
        ("bluetooth_sig", {"1809"}, False),
        ("bluetooth_sig", {"1809", "1822"}, True),
        ("jumper", set(), True),
        ("viatom", set(), True),
        ("beurer_po60", set(), False),
        ("and_cuff", {"1810"}, False),
    ],
)
def test_which_devices_are_worn_all_the_time(driver: str, services: set[str], streams: bool) -> None:
    assert streams_seen(DRIVER_BY_NAME[driver], services) is streams
