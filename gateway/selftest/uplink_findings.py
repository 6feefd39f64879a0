"""What a technician is told of the way to the centre: reached, trusted, let in, heard (core)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from vitals.finding import Finding, Words, broken, fine, unknown, warning

SERVER_SOON = timedelta(days=30)


class Step(StrEnum):
    """How far a connection came before it failed."""

    NAME = "name"
    REACHED = "reached"
    SERVER_TRUSTED = "server_trusted"
    LET_IN = "let_in"


class Heard(StrEnum):
    """What the broker said to a status message of ours, by MQTT 5's reason codes (OASIS MQTT 5.0, 3.4.2.1)."""

    YES = "Success"
    NOBODY = "No matching subscribers"
    REFUSED = "Not authorized"


_AT: Mapping[Step, tuple[Words, Words]] = {  # what did not work at this step, and the way out
    Step.NAME: (
        Words(en="its name is not known", zh="域名无法解析"),
        Words(en="check the network cable or Wi-Fi, and broker_host", zh="请检查网线或无线网络，以及 broker_host"),
    ),
    Step.REACHED: (
        Words(en="it can not be reached", zh="无法连接"),
        Words(
            en="check the network; the house's router must let this port out; is the broker running?",
            zh="请检查网络；路由器须允许访问该端口；代理是否在运行？",
        ),
    ),
    Step.SERVER_TRUSTED: (
        Words(en="it is not the broker of our site", zh="对方不是本站点的代理"),
        Words(
            en="the clock must be right, and broker_host a name in the broker's certificate (hearthwatch site init)",
            zh="系统时间须正确，broker_host 须在代理证书中（hearthwatch site init）",
        ),
    ),
    Step.LET_IN: (
        Words(en="it does not let us in", zh="拒绝本网关接入"),
        Words(
            en="at the site: hearthwatch site list; if this gateway was revoked or has ended, enrol it anew",
            zh="在站点运行 hearthwatch site list；若已吊销或到期，请重新登记",
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How the broker was met: where it failed, if it did, and how long its own certificate lasts."""

    failed_at: Step | None
    why: str
    server_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a running gateway last said of its own connection."""

    age_s: float
    connects: int
    stored_age_s: float | None
    is_centre_reachable: bool | None
    waiting: int


def broker(address: str, met: Connection, *, is_tls: bool, now: datetime) -> Finding:
    """Judge the connection to the broker."""
    if met.failed_at is not None:
        what, way_out = _AT[met.failed_at]
        return broken(
            "broker", en=f"{address}: {what.en}: {met.why}", zh=f"{address}：{what.zh}：{met.why}", way_out=way_out
        )
    if not is_tls:
        return warning(
            "broker",
            en=f"{address} answers, and everything travels in the clear",
            zh=f"{address} 可以连接，但传输未加密",
            way_out=Words(
                en="for a home: enrol this gateway (hearthwatch gateway enrol)",
                zh="用于真实家庭：请登记本网关（hearthwatch gateway enrol）",
            ),
        )
    if met.server_until is not None and met.server_until - now < SERVER_SOON:
        return warning(
            "broker",
            en=f"{address} takes our certificate; its own ends on {met.server_until:%F}",
            zh=f"{address} 接受本网关证书；其自身证书 {met.server_until:%F} 到期",
            way_out=Words(en="at the site: hearthwatch site init", zh="在站点运行：hearthwatch site init"),
        )
    return fine("broker", en=f"{address} takes our certificate", zh=f"{address} 接受本网关证书")


def centre(reason: str | None, *, why: str) -> Finding:
    """Judge what became of a status message that was sent with this gateway's name; None for no answer."""
    if reason == Heard.YES:
        return fine(
            "centre", en="a status message was taken, for a centre that listens", zh="状态消息已送达，中心在监听"
        )
    if reason == Heard.NOBODY:
        return warning(
            "centre",
            en="the broker takes our status, and nobody listens to it",
            zh="代理已接收状态消息，但中心没有监听",
            way_out=Words(
                en="at the site: is ingest running, and let in? readings wait here meanwhile",
                zh="在站点检查 ingest 是否运行并已接入；数据暂存于本机",
            ),
        )
    if reason is None:
        return broken("centre", en=f"no answer: {why}", zh=f"无应答：{why}", way_out=_ask_the_site())
    return broken(
        "centre", en=f"our status is refused: {reason}", zh=f"状态消息被拒绝：{reason}", way_out=_ask_the_site()
    )


def centre_by_running(said: Running) -> Finding:
    """Judge by what the running gateway says: a second connection of its name would cut its own."""
    ago = Words(en="never yet", zh="尚无") if said.stored_age_s is None else _seconds_ago(said.stored_age_s)
    en = f"the gateway is running; connected {said.connects} times, last stored {ago.en}, {said.waiting} readings wait"
    zh = f"网关正在运行；已连接 {said.connects} 次，上次入库：{ago.zh}，{said.waiting} 条待发"
    is_cut_off = said.is_centre_reachable is False or not said.connects
    if is_cut_off and said.waiting:
        return broken("centre", en=en, zh=zh, way_out=_ask_the_site())
    if is_cut_off:
        return warning("centre", en=en, zh=zh, way_out=_ask_the_site())
    return fine("centre", en=en, zh=zh)


def centre_unsaid() -> Finding:
    """Say that a gateway runs and has not said anything of late."""
    return warning(
        "centre",
        en="the gateway is running, and has written no status for a while",
        zh="网关正在运行，但近期没有写出状态",
        way_out=Words(
            en="journalctl -u hearthwatch-gateway; systemctl restart hearthwatch-gateway",
            zh="journalctl -u hearthwatch-gateway；systemctl restart hearthwatch-gateway",
        ),
    )


def unknown_centre() -> Finding:
    """Say that the centre could not be asked."""
    return unknown("centre", because="broker")


def _seconds_ago(seconds: float) -> Words:
    return Words(en=f"{seconds:.0f} s ago", zh=f"{seconds:.0f} 秒前")


def _ask_the_site() -> Words:
    return Words(
        en="at the site: the broker's log, its access list (deploy/mosquitto), and hearthwatch doctor",
        zh="在站点检查代理日志、访问控制（deploy/mosquitto），并运行 hearthwatch doctor",
    )
