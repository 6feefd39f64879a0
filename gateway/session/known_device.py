"""What is known of a claimed device across its links: what it shows of itself, its driver, its kind, how it talks."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.claims.claims import Claim
from gateway.drivers.driver import Driver, Kind, Seen, driver_for
from gateway.drivers.table import DRIVER_BY_NAME, DRIVERS, kind_seen
from gateway.rarely import Rarely

_STREAMING_KINDS = frozenset({Kind.OXIMETER, Kind.WEARABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInformation:
    """Who made a device, as it says itself; empty where it does not."""

    manufacturer: str = ""
    model: str = ""
    firmware: str = ""


class KnownDevice:
    """One claimed device, in plain values; the driver that a claim names is never chosen anew."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.driver: Driver | None = DRIVER_BY_NAME.get(claim.driver or "")
        self.seen = Seen()
        self.information: DeviceInformation | None = None
        self.clock_offset_s: float | None = None
        self.crashes = Rarely()
        self._streams: bool | None = None

    @property
    def address(self) -> str:
        """Its address."""
        return self.claim.address

    @property
    def kind(self) -> Kind | None:
        """What it is to the registry; None while no driver knows it."""
        return kind_seen(self.driver, self.seen.services) if self.driver else None

    @property
    def streams(self) -> bool:
        """Whether it speaks all the time while worn: as its last link showed, else as devices of its kind do."""
        return self.kind in _STREAMING_KINDS if self._streams is None else self._streams

    @property
    def only_advertises(self) -> bool:
        """Whether it is never to be connected to."""
        return self.driver is not None and not self.driver.connects

    def see(self, seen: Seen) -> None:
        """Take in what it shows; what it showed before stays true."""
        if seen == self.seen:
            return
        self.seen = Seen(
            name=seen.name or self.seen.name,
            services=self.seen.services | seen.services,
            service_data=self.seen.service_data | seen.service_data,
            company_ids=self.seen.company_ids | seen.company_ids,
        )
        if self.claim.driver not in DRIVER_BY_NAME:
            self.driver = driver_for(DRIVERS, self.seen)

    def see_services(self, services: Iterable[str]) -> None:
        """Take in what it offers on a link."""
        self.see(
            Seen(
                name=self.seen.name,
                services=self.seen.services | set(services),
                service_data=self.seen.service_data,
                company_ids=self.seen.company_ids,
            )
        )

    def talked(self, *, streams: bool) -> None:
        """Remember how it talks."""
        self._streams = streams
