"""What is known of a device across its links."""

import pytest

from gateway.claims.claims import Claim, ClaimedBy
from gateway.drivers.driver import Kind, Seen
from gateway.session.known_device import KnownDevice


def known(driver: str | None = None) -> KnownDevice:
    return KnownDevice(Claim(address="C0:00:00:00:00:01", driver=driver, claimed_by=ClaimedBy.CENTRE))


def test_nothing_is_known_before_it_is_seen() -> None:
    device = known()
    assert (device.driver, device.kind, device.streams, device.only_advertises) == (None, None, False, False)


@pytest.mark.parametrize(
    ("service", "kind", "streams"),
    [
        ("1822", Kind.OXIMETER, True),
        ("180d", Kind.WEARABLE, True),
        ("1809", Kind.THERMOMETER, False),
        ("1810", Kind.CUFF, False),
    ],
)
def test_kind_and_way_to_talk_follow_from_what_it_offers(service: str, kind: Kind, streams: bool) -> None:
    device = known()
    device.see(Seen(services=frozenset({service})))
    assert (device.driver and device.driver.name, device.kind, device.streams) == ("bluetooth_sig", kind, streams)


def test_how_it_talked_counts_more_than_its_kind() -> None:
    device = known()
    device.see(Seen(services=frozenset({"1822"})))
    device.talked(streams=False)
    assert not device.streams


def test_what_it_showed_before_stays_true() -> None:
    device = known()
    device.see(Seen(name="My Oximeter", services=frozenset({"180f"})))
    device.see(Seen(services=frozenset({"1822"})))
    device.see_services({"180a"})
    assert device.seen == Seen(name="My Oximeter", services=frozenset({"180f", "1822", "180a"}))


def test_a_driver_that_is_named_is_never_chosen_anew() -> None:
    device = known("nonin")
    device.see(Seen(services=frozenset({"1822"})))
    assert device.driver is not None
    assert device.driver.name == "nonin"


def test_a_driver_that_nobody_knows_is_as_none() -> None:
    device = known("of_a_newer_centre")
    device.see(Seen(services=frozenset({"1822"})))
    assert device.driver is not None
    assert device.driver.name == "bluetooth_sig"


def test_a_device_that_only_advertises_shows_it_by_its_data() -> None:
    device = known()
    device.see(Seen(service_data=frozenset({"fcd2"})))
    assert device.only_advertises
