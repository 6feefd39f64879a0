"""The settings with which Mosquitto loses messages silently, read from its configuration's text (core)."""

import re
from collections.abc import Mapping

from vitals.finding import Finding, Verdict, Words, broken, fine, warning

CHECK = "broker settings"
DEFAULTS: Mapping[str, str] = {
    "max_queued_messages": "1000",
    "max_queued_bytes": "0",
    "persistence": "false",
    "max_inflight_messages": "20",
    "autosave_interval": "1800",
    "allow_anonymous": "false",
    "use_username_as_clientid": "false",
    "max_packet_size": "0",
    "message_size_limit": "0",
    "certfile": "",
    "require_certificate": "false",
    "crlfile": "",
    "acl_file": "",
    "plugin": "",
    "retain_available": "true",
    "persistent_client_expiration": "",
    "use_identity_as_username": "false",
    "use_subject_as_username": "false",
}
VERSION_CHECK = "broker version"
VERSION_MIN = (2, 0, 21)
"""Older ones ignore MQTT 5's receive maximum: they send ingest more than it can hold, and drop the rest."""
_AUTOSAVE_INTERVAL_MAX_S = 60
_QUEUED_BYTES_MIN = 16 * 1024 * 1024
_EXPIRATION_HOURS_MIN = 24
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}
_MESSAGE_BYTES_MAX = 256 * 1024  # docs/wire-format.md; MQTT's own header comes on top
_HEADER_BYTES_MAX = 1024


def parse(text: str) -> dict[str, str]:
    """Read `key value` lines; the last of a key counts, as for Mosquitto."""
    settings = dict(DEFAULTS)
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            settings[key] = value.strip()
    return settings


def judge(text: str) -> list[Finding]:
    """Name every setting that loses readings or lets one gateway act for another."""
    settings = parse(text)
    findings = [
        *_queue(settings["max_queued_messages"], settings["max_queued_bytes"]),
        *_persistence(settings["persistence"], settings["autosave_interval"]),
        *_in_flight(settings["max_inflight_messages"]),
        *_size(settings["max_packet_size"], settings["message_size_limit"]),
        *_identity(settings["allow_anonymous"], settings["use_username_as_clientid"]),
        *_access(settings),
        *_memory(settings["retain_available"], settings["persistent_client_expiration"]),
    ]
    return findings or [fine(CHECK, en="nothing that loses messages silently", zh="没有会悄悄丢失消息的设置")]


def not_looked_at() -> Finding:
    """Say that nobody has named the file: its settings may be right or wrong."""
    words = Words(
        en="not looked at: name the file with --mosquitto-conf", zh="未检查：请用 --mosquitto-conf 给出配置文件"
    )
    return Finding(check=CHECK, verdict=Verdict.UNKNOWN, found=words)


def judge_version(said: str) -> Finding:
    """Judge what the broker calls itself, such as "mosquitto version 2.0.21"."""
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    least = ".".join(map(str, VERSION_MIN))
    if not found:
        return warning(
            VERSION_CHECK,
            en=f"{said[:80]!r} names no version of Mosquitto",
            zh=f"{said[:80]!r} 不是 Mosquitto 的版本号",
            way_out=_newer(least),
        )
    version = ".".join(found.groups())
    if tuple(map(int, found.groups())) < VERSION_MIN:
        return broken(
            VERSION_CHECK,
            en=f"Mosquitto {version}: before {least} it ignores how much a reader can take, and drops what is beyond",
            zh=f"Mosquitto {version}：{least} 之前的版本忽略接收上限，超出的消息会被丢弃",
            way_out=_newer(least),
        )
    return fine(VERSION_CHECK, en=f"Mosquitto {version}", zh=f"Mosquitto {version}")


def _newer(least: str) -> Words:
    return Words(
        en=f"install Mosquitto {least} or newer: Debian 13's, or Debian 12's backports",
        zh=f"请安装 Mosquitto {least} 或更高版本：Debian 13 自带，或 Debian 12 的 backports",
    )


def _queue(messages: str, bytes_: str) -> list[Finding]:
    findings = []
    if messages != "0":
        findings.append(
            broken(
                CHECK,
                en=f"max_queued_messages is {messages}: beyond it messages are dropped and still confirmed",
                zh=f"max_queued_messages 为 {messages}：超出的消息会被丢弃，却仍被确认",
                way_out=_set("max_queued_messages 0", "max_queued_bytes 268435456"),
            )
        )
    elif bytes_ == "0":
        findings.append(
            warning(
                CHECK,
                en="max_queued_bytes is not set: an absent reader's queue may fill the memory",
                zh="未设置 max_queued_bytes：离线客户端的队列可能占满内存",
                way_out=_set("max_queued_bytes 268435456"),
            )
        )
    elif int(bytes_) < _QUEUED_BYTES_MIN:
        findings.append(
            broken(
                CHECK,
                en=f"max_queued_bytes is {bytes_}: while ingest is away readings are soon refused, at every gateway",
                zh=f"max_queued_bytes 为 {bytes_}：接收端离线时，各网关的数据很快会被拒收",
                way_out=_set("max_queued_bytes 268435456"),
            )
        )
    return findings


def _persistence(persistence: str, autosave_interval_s: str) -> list[Finding]:
    if persistence != "true":
        return [
            broken(
                CHECK,
                en="persistence is off: a restart of the broker forgets sessions and queues",
                zh="未开启 persistence：代理重启后会话和队列全部丢失",
                way_out=_set("persistence true", "autosave_interval 60"),
            )
        ]
    if not 0 < int(autosave_interval_s) <= _AUTOSAVE_INTERVAL_MAX_S:
        return [
            warning(
                CHECK,
                en=f"autosave_interval is {autosave_interval_s} s: so much is sent again after a power cut",
                zh=f"autosave_interval 为 {autosave_interval_s} 秒：断电后需重发同样长时间的数据",
                way_out=_set("autosave_interval 60"),
            )
        ]
    return []


def _in_flight(messages: str) -> list[Finding]:
    if messages == "0":
        return []
    return [
        warning(
            CHECK,
            en=f"max_inflight_messages is {messages}: readings wait behind so few unconfirmed ones",
            zh=f"max_inflight_messages 为 {messages}：未确认消息达到此数后，后续数据将等待",
            way_out=_set("max_inflight_messages 0"),
        )
    ]


def _identity(anonymous: str, username_is_client_id: str) -> list[Finding]:
    if anonymous == "true":
        return [
            warning(
                CHECK,
                en="allow_anonymous is true: anybody who reaches the broker can send readings",
                zh="allow_anonymous 为 true：任何能连接代理的人都能发送数据",
                way_out=Words(
                    en="give each gateway a certificate or a password; anonymous is for the demo only",
                    zh="为每个网关配置证书或密码；匿名访问仅用于演示",
                ),
            )
        ]
    if username_is_client_id != "true":
        return [
            broken(
                CHECK,
                en="use_username_as_clientid is off: one gateway can take over another's session",
                zh="未开启 use_username_as_clientid：一个网关可以接管另一个网关的会话",
                way_out=_set("use_username_as_clientid true"),
            )
        ]
    return []


def _size(packet: str, payload: str) -> list[Finding]:
    sizes = {"max_packet_size": packet, "message_size_limit": payload}
    return [
        broken(
            CHECK,
            en=f"{name} is {size}: a full message of readings ({_MESSAGE_BYTES_MAX} bytes) would never get through",
            zh=f"{name} 为 {size}：装满的数据消息（{_MESSAGE_BYTES_MAX} 字节）将永远无法通过",
            way_out=_set(f"{name} {2 * _MESSAGE_BYTES_MAX}"),
        )
        for name, size in sizes.items()
        if 0 < int(size) < _MESSAGE_BYTES_MAX + _HEADER_BYTES_MAX
    ]


def _access(settings: Mapping[str, str]) -> list[Finding]:
    """Judge who may do what; where everybody may come in, that alone is said."""
    if settings["allow_anonymous"] == "true":
        return []
    findings = []
    if not settings["acl_file"] and not settings["plugin"]:
        findings.append(
            broken(
                CHECK,
                en="no acl_file: any gateway can write another's readings and read its acknowledgements",
                zh="未设置 acl_file：任何网关都能冒写其他网关的数据",
                way_out=_set("acl_file /etc/mosquitto/hearthwatch.acl (deploy/mosquitto/hearthwatch.acl)"),
            )
        )
    if not settings["certfile"]:
        findings.append(
            warning(
                CHECK,
                en="no TLS (certfile): readings and passwords travel in the clear",
                zh="未启用 TLS（certfile）：数据和密码以明文传输",
                way_out=_copy(),
            )
        )
    elif settings["require_certificate"] == "true" and "true" not in (
        settings["use_identity_as_username"],
        settings["use_subject_as_username"],
    ):
        findings.append(
            broken(
                CHECK,
                en="use_identity_as_username is off: a gateway's certificate does not say who it is to the access list",
                zh="未开启 use_identity_as_username：访问控制无法从证书识别网关",
                way_out=_set("use_identity_as_username true"),
            )
        )
    elif settings["require_certificate"] == "true" and not settings["crlfile"]:
        findings.append(
            warning(
                CHECK,
                en="no crlfile: a stolen gateway can not be shut out",
                zh="未设置 crlfile：被盗的网关无法被禁止接入",
                way_out=_set("crlfile /etc/hearthwatch-site/broker/crl.pem"),
            )
        )
    return findings


def _memory(retain: str, expiration: str) -> list[Finding]:
    """Judge what the broker forgets: retained words, and the queues of those who are away."""
    findings = []
    if retain != "true":
        findings.append(
            broken(
                CHECK,
                en="retain_available is off: a gateway that starts anew does not hear which devices it shall read",
                zh="未开启 retain_available：重启的网关收不到应读取哪些设备",
                way_out=_set("retain_available true"),
            )
        )
    found = re.fullmatch(r"(\d+)([hdwmy])", expiration)
    if expiration and (not found or int(found[1]) * _HOURS[found[2]] < _EXPIRATION_HOURS_MIN):
        findings.append(
            broken(
                CHECK,
                en=f"persistent_client_expiration is {expiration}: away for longer, ingest loses its queue",
                zh=f"persistent_client_expiration 为 {expiration}：接收端离线超过此时间，其队列会被丢弃",
                way_out=_set("persistent_client_expiration 7d"),
            )
        )
    return findings


def _copy() -> Words:
    return Words(
        en="hearthwatch site init, and deploy/mosquitto/hearthwatch.conf in /etc/mosquitto/conf.d",
        zh="运行 hearthwatch site init，并将 deploy/mosquitto/hearthwatch.conf 放入 /etc/mosquitto/conf.d",
    )


def _set(*lines: str) -> Words:
    settings = "; ".join(lines)
    return Words(en=f"set in mosquitto.conf and restart: {settings}", zh=f"在 mosquitto.conf 中设置并重启：{settings}")
