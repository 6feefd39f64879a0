"""A site on a real broker: deploy/mosquitto's own files with their paths and port changed, and clients of its PKI."""

import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from typer.testing import CliRunner, Result

from hearthwatch.__main__ import ROOMS
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import LOOPBACK
from hearthwatch.services.service_user import service_user
from tests.ingest.service import wait_until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto"
INGEST = "service.ingest"


def site_config(port: int, directory: Path) -> str:
    """Give deploy/mosquitto/hearthwatch.conf as Debian's main file would include it."""
    text = (DEPLOY / "hearthwatch.conf").read_text()
    for there, here in (
        ("listener 8883\n", f"listener {port} {LOOPBACK}\n"),
        ("/etc/hearthwatch-site/", f"{directory}/site/"),
        ("/etc/mosquitto/hearthwatch.acl", f"{directory}/hearthwatch.acl"),
    ):
        assert there in text
        text = text.replace(there, here)
    (directory / "conf.d").mkdir()
    (directory / "conf.d" / "hearthwatch.conf").write_text(text)
    return f"persistence true\npersistence_location {directory}/\ninclude_dir {directory}/conf.d\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The files with which one client meets the broker."""

    ca: Path
    certificate: Path | None
    key: Path | None


class Site:
    """A founded site and its broker, running; boxes are folders in `boxes`."""

    def __init__(self, boxes: Path) -> None:
        self.boxes = boxes
        self.broker = Mosquitto(config=site_config)
        self.folder = self.broker.directory / "site"
        self.said = hearthwatch(
            "site", "init", str(self.folder), "--broker-host", LOOPBACK, "--broker-port", str(self.broker.port)
        )
        shutil.copy(DEPLOY / "hearthwatch.acl", self.broker.directory)
        (self.broker.directory / "hearthwatch.acl").chmod(0o600)
        self.hand_over()
        self.broker.start()

    @property
    def port(self) -> int:
        """The broker's TLS port."""
        return self.broker.port

    @property
    def ingest(self) -> Identity:
        """Ingest's files."""
        folder = self.folder / "ingest"
        return Identity(ca=folder / "ca.pem", certificate=folder / "ingest.pem", key=folder / "ingest.key")

    def enrol(self, gateway_id: str, *options: str) -> Path:
        """Take a box from nothing to installed, with the commands a technician uses; give its folder."""
        box = self.boxes / gateway_id
        hearthwatch("gateway", "enrol", "--gateway-id", gateway_id, "--folder", str(box))
        hearthwatch("site", "enrol", "--site", str(self.folder), str(box / f"{gateway_id}.csr"), *options)
        bundle, state = box / f"{gateway_id}.bundle.toml", box / "state"
        hearthwatch("gateway", "enrol", "--install", str(bundle), "--folder", str(box), "--state", str(state))
        return box

    def revoke(self, gateway_id: str) -> None:
        """Take a gateway back and start the broker again, as the command says."""
        hearthwatch("site", "revoke", gateway_id, "--site", str(self.folder))
        self.hand_over()
        self.broker.restart()

    def hand_over(self) -> None:
        """Give the broker's files to its user, as an installer does for the user mosquitto."""
        user = service_user()
        if user is not None:
            folder = self.folder / "broker"
            for path in (folder, *folder.iterdir(), self.broker.directory / "hearthwatch.acl"):
                shutil.chown(path, user.pw_uid, user.pw_gid)

    def close(self) -> None:
        """Stop the broker and forget everything."""
        self.broker.close()


def identity_of(box: Path) -> Identity:
    """Give a box's files."""
    return Identity(ca=box / "site-ca.pem", certificate=box / "gateway.pem", key=box / "gateway.key")


def hearthwatch(room: str, *arguments: str, code: int = 0) -> Result:
    """Give a command to a room in this process: a site takes dozens, and most of a command's time is its start."""
    result = CliRunner().invoke(import_module(ROOMS[room].module).app, arguments)
    assert result.exit_code == code, result.output
    return result


def hearthwatch_process(*arguments: str) -> str:
    """Run the command line as people do; give what it says."""
    command = [sys.executable, "-m", "hearthwatch", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Guest:
    """One MQTT 5 client at the site's broker: what it was told, in order."""

    def __init__(self, site: Site, identity: Identity, client_id: str) -> None:
        self.connects: list[str] = []
        self.ends: list[str] = []
        self.acknowledged: dict[int, str] = {}
        self.granted = threading.Event()
        self.heard: list[tuple[str, bytes]] = []
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        certificate, key = identity.certificate, identity.key
        self._client.tls_set(str(identity.ca), *(str(file) if file else None for file in (certificate, key)))
        self._client.on_connect = lambda _c, _d, _f, reason, _p: self.connects.append(str(reason))
        self._client.on_disconnect = lambda _c, _d, _f, reason, _p: self.ends.append(str(reason))
        self._client.on_publish = lambda _c, _d, mid, reason, _p: self.acknowledged.update({mid: str(reason)})
        self._client.on_subscribe = lambda *_: self.granted.set()
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self._client.connect(LOOPBACK, site.port)
        self._client.loop_start()

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def is_let_in(self) -> bool:
        """Wait for the broker's word."""
        wait_until(lambda: self.connects or self.ends, "the broker has answered")
        return self.connects == ["Success"]

    def publish(self, topic: str, payload: bytes = b"?", **options: Any) -> str:
        """Publish with QoS 1 and give the reason of the PUBACK."""
        mid = self._client.publish(topic, payload, qos=1, **options).mid
        wait_until(lambda: mid in self.acknowledged, f"a PUBACK for {topic}")
        return self.acknowledged[mid]

    def subscribe(self, *topics: str) -> None:
        """Subscribe and wait for the answer."""
        self.granted.clear()
        self._client.subscribe([(topic, 1) for topic in topics])
        assert self.granted.wait(20)
