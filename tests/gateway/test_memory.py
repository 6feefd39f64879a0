"""What a running gateway loads: a small box has little memory, and each of these would take some of it for nothing."""

import asyncio
import os
import re
import signal
from pathlib import Path

from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.gateway_rig import oximeter
from tests.gateway.stand_in import StandIn
from tests.gateway.test_process import started
from tests.rigs import Rig2

OXIMETER = "C0:00:00:00:00:01"
NOT_LOADED = {
    "rich", "pygments", "greenlet",  # structlog would (hearthwatch/logs.py); typer does for help alone
    "pydantic_settings", "dotenv",  # the other rooms' settings (gateway/settings.py)
    "cryptography",  # enrolment alone
    "numpy", "psycopg", "fastapi", "uvicorn", "jinja2", "apprise", "bumble", "httpx",  # not on a box at all
    "ingest", "care", "alerting", "dashboards", "firmware_stubs",
}  # fmt: skip
LOADED = {"gateway", "vitals", "bleak", "dbus_fast", "paho", "pydantic", "structlog", "sqlite3", "typer"}
IMPORTED = re.compile(rb"^import '(\w+)", re.MULTILINE)


async def test_a_gateway_that_reads_and_sends_loads_nothing_that_it_does_not_use(
    rig2: Rig2, broker: Mosquitto, gateway_id: str, tmp_path: Path
) -> None:
    await rig2.switch_on(oximeter(rig2, OXIMETER))
    with started(
        broker,
        gateway_id,
        tmp_path / "outbox.sqlite",
        PYTHONVERBOSE="1",  # the interpreter itself writes down each module that it has loaded
        DBUS_SYSTEM_BUS_ADDRESS=os.environ["DBUS_SYSTEM_BUS_ADDRESS"],
        HEARTHWATCH_GATEWAY_CLAIM_ALL="true",
        HEARTHWATCH_GATEWAY_FLUSH_S="0.2",
    ) as process:
        assert process.stderr is not None
        written = asyncio.create_task(asyncio.to_thread(process.stderr.read))
        async with StandIn("127.0.0.1", broker.port, gateway_id) as centre:
            await centre.until(lambda c: len(c.rows) > 0)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait) == 0
    loaded = {name.decode() for name in IMPORTED.findall(await written)}
    assert loaded >= LOADED
    assert sorted(loaded & NOT_LOADED) == []
