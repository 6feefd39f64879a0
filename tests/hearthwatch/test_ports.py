"""A port that was given out is its asker's alone: nobody else is given it, and a server may come and go there."""

import random
import socket
import subprocess
import sys

import pytest

from hearthwatch.services import ports
from hearthwatch.services.ports import LOOPBACK, NoFreePort, free_port, listens


def test_a_port_is_given_once_also_before_anybody_listens_there(monkeypatch: pytest.MonkeyPatch) -> None:
    given = free_port()
    assert not listens(given)
    monkeypatch.setattr(ports, "_FIRST", given)
    monkeypatch.setattr(ports, "_LAST", given)
    with pytest.raises(NoFreePort):
        free_port()
    program = f"import hearthwatch.services.ports as p; p._FIRST = p._LAST = {given}; p.free_port()"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "NoFreePort" in other.stderr


def test_whoever_seeds_chance_again_and_again_does_not_use_up_the_ports() -> None:
    given = set()
    for _ in range(250):
        random.seed(7)
        given.add(free_port())
    assert len(given) == 250


def test_a_server_listens_on_the_port_it_was_given_ends_and_comes_back() -> None:
    given = free_port()
    for _ in range(2):
        with socket.create_server((LOOPBACK, given)):
            assert listens(given)
        assert not listens(given)
