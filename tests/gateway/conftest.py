"""A gateway under test: settings on a broker of the rig, an outbox in a temporary folder."""

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.settings import GatewaySettings

_numbers = itertools.count(1)

MakeSettings = Callable[..., GatewaySettings]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command under test sends the log where that test captures it: the next test logs as ever."""
    before = list(logging.root.handlers)
    yield
    structlog.reset_defaults()
    for handler in [handler for handler in logging.root.handlers if handler not in before]:
        logging.root.removeHandler(handler)


@pytest.fixture
def gateway_id() -> str:
    """A gateway's name that no other test uses."""
    return f"gw-{next(_numbers)}"


@pytest.fixture
def make_settings(tmp_path: Path, gateway_id: str) -> MakeSettings:
    """Settings for a quick test: `make_settings(broker, flush_s=...)`."""

    def make(broker: Any, **changes: Any) -> GatewaySettings:
        values: dict[str, Any] = {
            "gateway_id": gateway_id,
            "broker_host": "127.0.0.1",
            "broker_port": broker.port,
            "outbox_path": tmp_path / "outbox.sqlite",
            "claim_all": True,
            "reconnect_s_max": 1,
            "clock_trust": "synchronised",
            "flush_s": 0.2,
            **changes,
        }
        return GatewaySettings(**values)

    return make
