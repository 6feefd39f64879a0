"""The virtual radio: bumble's link and controller without the faults that a real radio does not have."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

from bumble import controller, core, hci, link, ll
from bumble.device import Connection
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

RSSI_DBM = -60
LINK_LOST = int(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


def quieten_bumble() -> None:
    """Keep bumble's own log to errors, unless somebody has already chosen a level for it."""
    log = logging.getLogger("bumble")
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)


@dataclasses.dataclass
class Announcement(ll.AdvInd):
    """A connectable, scannable advertisement as it is heard (Core Vol 6 Part B 2.3.1.1)."""

    scan_response: bytes
    rssi_dbm: int


def drop_failed_pairings(connection: Connection) -> None:
    """Let a pairing that failed be tried again on the same link: bumble would keep its dead session."""

    def drop(_reason: int) -> None:
        if session := connection.device.smp_manager.sessions.get(connection.handle):
            session.on_disconnection(0)

    connection.on(Connection.EVENT_PAIRING_FAILURE, drop)


class Air(link.LocalLink):
    """The space between controllers: who hears whom, and which links are up."""

    controllers: set[controller.Controller]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._by_address: dict[hci.Address, controller.Controller] = {}
        self._out_of_range: set[hci.Address] = set()

    def cut(self, address: hci.Address | str) -> None:
        """Lose every link of the device at `address`: both ends learn of a supervision timeout (0x08)."""
        device = self.find_le_controller(_as_address(address))
        for connection in list(device.le_connections.values()) if device else []:
            self.lose(connection)

    def lose(self, connection: controller.Connection, *, tell_self: bool = True) -> None:
        """Take one link down; the far end always hears of it, the near end if `tell_self`."""
        if far := self._far_end(connection):
            far.controller.on_le_disconnected(far, LINK_LOST)
        if tell_self:
            connection.controller.on_le_disconnected(connection, LINK_LOST)
        else:
            del connection.controller.le_connections[connection.peer_address]

    def take_away(self, address: hci.Address | str) -> None:
        """Carry a device out of range: its links are lost, it is neither heard nor reached."""
        self._out_of_range.add(_as_address(address))
        self.cut(address)

    def bring_back(self, address: hci.Address | str) -> None:
        """Carry a device back into range."""
        self._out_of_range.discard(_as_address(address))

    # What controllers call.

    def add_controller(self, controller: controller.Controller) -> None:
        super().add_controller(controller)
        self.on_address_changed(controller)

    def remove_controller(self, controller: controller.Controller) -> None:
        super().remove_controller(controller)
        self._by_address = {a: c for a, c in self._by_address.items() if c is not controller}

    def on_address_changed(self, controller: controller.Controller) -> None:
        self._by_address = {a: c for a, c in self._by_address.items() if c is not controller}
        for address in (controller.random_address, controller.public_address):
            if any(address.address_bytes):
                self._by_address[address] = controller

    def find_le_controller(self, address: hci.Address) -> controller.Controller | None:
        return self._by_address.get(address) or super().find_le_controller(address)

    def send_acl_data(
        self,
        sender_controller: controller.Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        near = sender_controller.le_connections.get(destination_address)
        if near is None or (far := self._far_end(near)) is None:
            return
        receiver = far.controller
        asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, near.self_address, transport, data)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        if receiver := self.find_le_controller(receiver_address):
            asyncio.get_running_loop().call_soon(receiver.on_ll_control_pdu, sender_address, packet)

    def send_advertising_pdu(self, sender_controller: controller.Controller, packet: ll.AdvertisingPdu) -> None:
        if isinstance(packet, ll.ConnectInd):
            if advertiser := self.find_le_controller(packet.advertiser_address):
                advertiser.on_ll_advertising_pdu(packet)
        elif isinstance(packet, ll.AdvInd) and packet.advertiser_address not in self._out_of_range:
            for listener in self.controllers:
                if listener is not sender_controller and _listens(listener, packet.advertiser_address):
                    asyncio.get_running_loop().call_soon(listener.on_ll_advertising_pdu, packet)

    def can_reach(self, address: hci.Address) -> bool:
        """Tell whether a connection request to `address` would be answered now."""
        device = self.find_le_controller(address)
        return (
            device is not None
            and device.le_legacy_advertiser.enabled
            and device.le_legacy_advertiser.address == address
            and address not in self._out_of_range
        )

    def _far_end(self, near: controller.Connection) -> controller.Connection | None:
        device = self.find_le_controller(near.peer_address)
        return device.le_connections.get(near.self_address) if device else None


class Radio(controller.Controller):
    """A Bluetooth LE controller on the air, legacy advertising only (Core Vol 4 Part E)."""

    le_features = controller.Controller.le_features & ~(
        hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
        | hci.LeFeatureMask.LL_PRIVACY
    )
    le_acl_data_packet_length = 251

    def __init__(
        self,
        name: str,
        air: Air,
        *,
        public_address: hci.Address | str | None = None,
        rssi_dbm: int = RSSI_DBM,
    ) -> None:
        self.air = air
        self.rssi_dbm = rssi_dbm
        self._heard: set[hci.Address] = set()
        super().__init__(name, link=air, public_address=public_address)
        self.le_legacy_advertiser = _Advertiser(self)

    def host_side(self) -> Host:
        """Return a bumble host in this process that drives this controller."""
        return Host(self, AsyncPipeSink(self))

    def fall_silent(self) -> None:
        """Forget everything, as a reset or a loss of power does; peers see their links time out."""
        self.le_legacy_advertiser.stop()
        self.le_legacy_advertiser = _Advertiser(self)
        self.le_scan_enable = False
        self.pending_le_connection = None
        for connection in list(self.le_connections.values()):
            self.air.lose(connection, tell_self=False)
        self.random_address = hci.Address("00:00:00:00:00:00")

    def unplug(self) -> None:
        """Take the controller off the air for good."""
        self.fall_silent()
        self.host = None
        self.air.remove_controller(self)

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        self.fall_silent()
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        self._heard.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        asyncio.get_running_loop().call_soon(self.send_hci_packet, _cancelled(pending.peer_address))
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def create_le_connection(self, peer_address: hci.Address) -> None:
        if self.air.can_reach(peer_address):
            super().create_le_connection(peer_address)

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        if not isinstance(pdu, Announcement):
            return
        if self.le_scan_enable and not (self.filter_duplicates and pdu.advertiser_address in self._heard):
            self._heard.add(pdu.advertiser_address)
            self._report(pdu)
        pending = self.pending_le_connection
        if pending and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _report(self, pdu: Announcement) -> None:
        kinds = hci.HCI_LE_Advertising_Report_Event.EventType
        reports = [(kinds.ADV_IND, pdu.data)]
        if self.le_scan_type == hci.HCI_LE_Set_Scan_Parameters_Command.ACTIVE_SCANNING:
            reports.append((kinds.SCAN_RSP, pdu.scan_response))
        for kind, content in reports:
            report = hci.HCI_LE_Advertising_Report_Event.Report(
                event_type=kind,
                address_type=pdu.advertiser_address.address_type,
                address=pdu.advertiser_address,
                data=content,
                rssi=pdu.rssi_dbm,
            )
            self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))


class _Advertiser(controller.LegacyAdvertiser):
    controller: Radio

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval_s = max(self.advertising_interval_min * 0.625e-3, 0.02)
        self.timer_handle = asyncio.get_running_loop().call_later(interval_s, self._on_timer_fired)

    def send_advertising_data(self) -> None:
        if self.enabled:
            self.controller.send_advertising_pdu(
                Announcement(
                    advertiser_address=self.address,
                    data=self.advertising_data,
                    scan_response=self.scan_response_data,
                    rssi_dbm=self.controller.rssi_dbm,
                )
            )


def _as_address(address: hci.Address | str) -> hci.Address:
    return hci.Address(address) if isinstance(address, str) else address


def _listens(listener: controller.Controller, advertiser: hci.Address) -> bool:
    pending = listener.pending_le_connection
    return listener.le_scan_enable or (pending is not None and pending.peer_address == advertiser)


def _cancelled(peer: hci.Address) -> hci.HCI_LE_Connection_Complete_Event:
    return hci.HCI_LE_Connection_Complete_Event(
        status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
        connection_handle=0,
        role=hci.Role.CENTRAL,
        peer_address_type=peer.address_type,
        peer_address=peer,
        connection_interval=0,
        peripheral_latency=0,
        supervision_timeout=0,
        central_clock_accuracy=0,
    )
