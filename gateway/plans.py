"""From the settings to what each part is told: one function a part."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from gateway.bluetooth.adapter import Bluetooth
from gateway.bluetooth.rotation import Shares
from gateway.clocks.placing import Place
from gateway.outbox.floor import Floor
from gateway.session.surroundings import SessionPlan
from gateway.settings import GatewaySettings
from gateway.uplink.courier import CourierPlan
from gateway.uplink.uplink import BrokerAddress
from gateway.uplink.window import Bounds
from vitals.clock import ClinicalClock
from vitals.reading import scaled
from vitals.signals import Signal

SILENCE_S_MIN = 5.0  # a link lives in machine time: a fast clinical clock must not call a short pause a dead link
ECHO = timedelta(milliseconds=50)
SPOT_SHARE_S = 5.0
BROADCAST_AGAIN = timedelta(minutes=2)


def floor_of(settings: GatewaySettings) -> Floor:
    """Say which readings can not wait."""
    return Floor(
        spo2_below=scaled(Signal.SPO2, settings.urgent_spo2_below),
        temperature_from=scaled(Signal.TEMPERATURE, settings.urgent_temperature_from),
    )


def courier_plan(settings: GatewaySettings, clock: ClinicalClock, floor: Floor) -> CourierPlan:
    """Say when and how much is sent."""
    return CourierPlan(
        flush_s=clock.machine_s(timedelta(seconds=settings.flush_s)),
        rows_max=settings.batch_rows_max,
        bounds=Bounds(
            in_flight_max=settings.in_flight_max,
            live_slots=max(1, settings.in_flight_max // 4),
            silence_s_min=settings.resend_s_min,
            silence_s_max=settings.resend_s_max,
        ),
        floor=floor,
    )


def radios_of(
    settings: GatewaySettings,
    scanner_class: type[BaseBleakScanner] | None,
    client_class: type[BaseBleakClient] | None,
) -> tuple[Bluetooth, ...]:
    """Say which adapters there are; None classes mean the real BlueZ."""
    return tuple(
        Bluetooth(adapter=name, scanner_class=scanner_class, client_class=client_class)
        for name in settings.adapters or ("",)
    )


def place_of(settings: GatewaySettings, clock: ClinicalClock) -> Place:
    """Say where the gateway stands."""
    return Place(
        zone=ZoneInfo(settings.site_zone),
        stored_after=timedelta(seconds=settings.stored_after_s),
        speed=clock.speed,
    )


def shares_of(settings: GatewaySettings) -> Shares:
    """Say how long a streaming device keeps its link while others wait."""
    return Shares(stream_s=settings.share_s, spot_s=min(SPOT_SHARE_S, settings.share_s))


def session_plan(settings: GatewaySettings, clock: ClinicalClock, *, is_bluez: bool) -> SessionPlan:
    """Say how patient sessions are.

    Only BlueZ repeats notifications (two D-Bus clients, a read of a notifying characteristic); others do not.
    """

    def link_s(clinical_s: float) -> float:
        return max(SILENCE_S_MIN, clock.machine_s(timedelta(seconds=clinical_s)))

    return SessionPlan(
        connect_s_max=settings.connect_s_max,
        stream_silence_s_max=link_s(settings.stream_silence_s),
        spot_silence_s_max=link_s(settings.spot_silence_s),
        spot_linger_s=link_s(settings.spot_linger_s),
        spot_pause_s=clock.machine_s(timedelta(seconds=settings.spot_pause_s)),
        echo_s=min(ECHO.total_seconds(), clock.machine_s(ECHO)) if is_bluez else 0.0,
        broadcast_again_s=clock.machine_s(BROADCAST_AGAIN),
        zone=ZoneInfo(settings.site_zone),
    )


def broker_address(settings: GatewaySettings) -> BrokerAddress:
    """Say where the broker is."""
    return BrokerAddress(
        host=settings.broker_host,
        port=settings.broker_port,
        gateway_id=settings.gateway_id,
        username=settings.broker_username,
        password=settings.broker_password.get_secret_value(),
        ca_file=settings.broker_ca_file,
        certificate_file=settings.broker_certificate_file,
        key_file=settings.broker_key_file,
        keepalive_s=settings.broker_keepalive_s,
        session_expiry_s=settings.broker_session_expiry_s,
        reconnect_s_max=settings.reconnect_s_max,
        in_flight_max=settings.in_flight_max,
    )
