"""Checks of the broker: a real MQTT 5 connection, a real message there and back, and its settings file."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.selftest.uplink import meet
from gateway.selftest.uplink_findings import Connection, Step
from gateway.selftest.uplink_findings import broker as judged
from gateway.uplink.tls import TlsFileError, client_context
from hearthwatch.doctor import mosquitto_settings
from vitals.finding import Finding, Verdict, Words, broken, fine, warning

PATIENCE_S = 5.0
SETTINGS = "HEARTHWATCH_BROKER"
VERSION_TOPIC = "$SYS/broker/version"


def listens(host: str, port: int, *, settings: str = SETTINGS) -> Finding:
    """Check that something answers at the port; for a gateway with a login.

    Not logged in: where the user name is the client id, we would end the running gateway's session.
    """
    address = f"{host}:{port}"
    try:
        socket.create_connection((host, port), timeout=PATIENCE_S).close()
    except OSError as error:
        return _unreachable(address, str(error), settings)
    return fine(
        "broker",
        en=f"{address} takes connections; the login was not tried, to leave the running gateway's session alone",
        zh=f"{address} 可以连接；为不影响正在运行的网关会话，未尝试登录",
    )


def secured(host: str, port: int, ca_file: Path, *, own: tuple[Path | None, Path | None]) -> Finding:
    """Check that the broker takes our own certificate and key; not logged in, as that would end our own session."""
    try:
        met = meet(host, port, client_context(ca_file, *own))
    except TlsFileError as error:
        met = Connection(failed_at=Step.LET_IN, why=str(error), server_until=None)
    return judged(f"{host}:{port}", met, is_tls=True, now=datetime.now(UTC))


def broker(host: str, port: int, patience_s: float = PATIENCE_S, *, settings: str = SETTINGS) -> Finding:
    """Connect with MQTT 5 and send one message there and back with QoS 1; `settings` begins their names."""
    address = f"{host}:{port}"
    trial = _Trial()
    started = time.monotonic()
    try:
        trial.run(host, port, patience_s)
    except OSError as error:
        return _unreachable(address, str(error), settings)
    milliseconds = round((time.monotonic() - started) * 1000)
    if trial.refused is not None:
        return broken(
            "broker",
            en=f"{address} refuses us: {trial.refused}",
            zh=f"{address} 拒绝连接：{trial.refused}",
            way_out=Words(
                en="Mosquitto 2.0.21 or newer speaks MQTT 5; look into its log for who may connect",
                zh="需要支持 MQTT 5 的 Mosquitto 2.0.21 或更高版本；请查看其日志中的访问控制",
            ),
        )
    if not trial.connected.is_set():
        return _unreachable(address, f"no MQTT answer within {patience_s:g} s", settings)
    if not trial.returned.is_set():
        return warning(
            "broker",
            en=f"{address} lets us in with MQTT 5, and our message did not come back within {patience_s:g} s",
            zh=f"{address} 可用 MQTT 5 连接，但测试消息在 {patience_s:g} 秒内未返回",
            way_out=Words(
                en="if its access list covers hearthwatch/doctor/# it is overloaded: look at its log",
                zh="若访问控制已允许 hearthwatch/doctor/#，则代理过载：请查看其日志",
            ),
        )
    if trial.version is not None and (old := mosquitto_settings.judge_version(trial.version)).verdict is Verdict.BROKEN:
        return replace(old, check="broker")
    named = f" ({trial.version})" if trial.version else ""
    return fine(
        "broker",
        en=f"{address} speaks MQTT 5{named}; a message came back after {milliseconds} ms",
        zh=f"{address} 支持 MQTT 5{named}；测试消息 {milliseconds} 毫秒后返回",
    )


def broker_settings(file: Path) -> list[Finding]:
    """Read the broker's configuration, with the folder it includes."""
    try:
        return mosquitto_settings.judge(_with_included(file))
    except (OSError, ValueError) as error:
        return [
            broken(
                mosquitto_settings.CHECK,
                en=f"{file} cannot be read: {error}",
                zh=f"无法读取 {file}：{error}",
                way_out=Words(en="give the path of mosquitto.conf", zh="请给出 mosquitto.conf 的路径"),
            )
        ]


def installed_version(program: str = "mosquitto") -> list[Finding]:
    """Judge the Mosquitto that is installed on this machine, if one is."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        return []
    done = subprocess.run([path, "-h"], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    return [mosquitto_settings.judge_version((done.stdout + done.stderr).partition("\n")[0])]


class _Trial:
    """One client that connects, subscribes to a topic nobody else uses, and publishes to it."""

    def __init__(self) -> None:
        self.connected, self.returned, self._done = threading.Event(), threading.Event(), threading.Event()
        self.refused: str | None = None
        self.version: str | None = None
        self._name = f"doctor-{uuid.uuid4().hex[:12]}"
        self._topic = f"hearthwatch/doctor/{self._name}"
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=self._name, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def run(self, host: str, port: int, patience_s: float) -> None:
        """Try, and give up after the patience."""
        self._client.connect_timeout = patience_s
        self._client.connect(host, port)
        self._client.loop_start()
        self._done.wait(patience_s)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _more: object) -> None:
        if reason.is_failure:
            self._end(str(reason))
        else:
            self.connected.set()
            self._client.subscribe([(VERSION_TOPIC, 0), (self._topic, 1)])

    def _on_subscribe(self, *_: object) -> None:
        self._client.publish(self._topic, b"?", qos=1)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == VERSION_TOPIC:  # retained: it comes before what is published after the subscription
            self.version = message.payload.decode(errors="replace")[:80]
            return
        self.returned.set()
        self._done.set()

    def _on_disconnect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _more: object) -> None:
        if not self._done.is_set():
            self._end(f"it hung up ({reason})")

    def _end(self, reason: str) -> None:
        self.refused = reason
        self._done.set()


def _with_included(file: Path) -> str:
    text = file.read_text()
    for line in text.splitlines():
        key, _, folder = line.strip().partition(" ")
        if key == "include_dir":
            with contextlib.suppress(FileNotFoundError):
                for included in sorted(Path(folder.strip()).glob("*.conf")):
                    text += "\n" + included.read_text()
    return text


def _unreachable(address: str, reason: str, settings: str) -> Finding:
    return broken(
        "broker",
        en=f"no broker answers at {address}: {reason}",
        zh=f"{address} 没有 MQTT 代理响应：{reason}",
        way_out=Words(
            en=f"start Mosquitto, or set {settings}_HOST and {settings}_PORT to where it runs",
            zh=f"请启动 Mosquitto，或将 {settings}_HOST 和 {settings}_PORT 指向它",
        ),
    )
