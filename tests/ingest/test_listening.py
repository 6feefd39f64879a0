"""Ports: a name is listened on at all its addresses, and one that can not be had is named."""

import socket

import pytest

from hearthwatch.services.ports import free_port
from ingest.listening import PortRefused, port_named, sockets_on


def test_a_name_is_listened_on_where_it_leads() -> None:
    port = free_port()
    listening = sockets_on("localhost", port)
    try:
        with socket.create_connection(("localhost", port), timeout=10) as caller:
            assert caller.getpeername()[1] == port
    finally:
        for each in listening:
            each.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines_is_named_with_the_setting(host: str) -> None:
    port = free_port()
    with (
        pytest.raises(PortRefused, match=f"^{host}:{port}, of HEARTHWATCH_X_PORT and its host, can not be had: .+$"),
        port_named(host, port, setting="HEARTHWATCH_X_PORT"),
    ):
        sockets_on(host, port)
