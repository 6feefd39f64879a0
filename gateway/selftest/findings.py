"""What a technician is told of the box itself: folder, space, clock, certificate, card, power (core)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vitals.finding import Finding, Verdict, Words, broken, fine, warning

SLOW_SYNC_MS = 500
SOON = timedelta(days=60)
WORN_PERCENT = 80
_WORDS = {Verdict.FINE: "OK", Verdict.WARNING: "WARN", Verdict.BROKEN: "FAIL", Verdict.UNKNOWN: "SKIP"}
_CHECK_WIDTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a storage device says of itself: worn by so much of its rated life, and errors of its file system."""

    name: str
    worn_percent: int | None
    file_system_errors: int


def settings(error: str | None, *, gateway_id: str, file: str) -> Finding:
    """Judge whether the settings can be read."""
    where = file or "the environment"
    if error is None:
        return fine("settings", en=f"{gateway_id}, by {where}", zh=f"{gateway_id}，来自 {file or '环境变量'}")
    return broken(
        "settings",
        en=error,
        zh=f"设置有误：{error}",
        way_out=Words(
            en="correct the file; a box without identity: hearthwatch gateway enrol --gateway-id NAME",
            zh="请更正设置文件；尚无身份的网关：hearthwatch gateway enrol --gateway-id 名称",
        ),
    )


def folder(path: str, error: str | None, *, sync_ms: float) -> Finding:
    """Judge whether the outbox's folder takes data, and keeps them."""
    if error is not None:
        return broken(
            "folder",
            en=f"{path} takes no data: {error}",
            zh=f"{path} 无法写入：{error}",
            way_out=Words(
                en=f"chown -R hearthwatch: {path}; if it is read-only, the card may be dying: replace it",
                zh=f"chown -R hearthwatch: {path}；若为只读，存储卡可能已损坏，请更换",
            ),
        )
    if sync_ms > SLOW_SYNC_MS:
        return warning(
            "folder",
            en=f"{path} keeps data, but needs {sync_ms:.0f} ms for it",
            zh=f"{path} 可写，但落盘需要 {sync_ms:.0f} 毫秒",
            way_out=Words(
                en="a worn or slow card: use one for industry use", zh="存储卡老化或过慢：请换用工业级存储卡"
            ),
        )
    return fine(
        "folder", en=f"{path} keeps data; synced in {sync_ms:.0f} ms", zh=f"{path} 可写，落盘 {sync_ms:.0f} 毫秒"
    )


def space(free_bytes: int, *, wanted_bytes: int) -> Finding:
    """Judge whether the outbox could grow to its bound."""
    free, wanted = _megabytes(free_bytes), _megabytes(wanted_bytes)
    if free_bytes >= wanted_bytes:
        return fine("space", en=f"{free} free, {wanted} may be needed", zh=f"剩余 {free}，最多需要 {wanted}")
    say = broken if free_bytes < wanted_bytes / 4 else warning
    return say(
        "space",
        en=f"{free} free, {wanted} may be needed: in a long outage the oldest readings would be thinned out",
        zh=f"剩余 {free}，最多需要 {wanted}：长时间断网时最早的数据会被精简",
        way_out=Words(
            en="remove what does not belong here, or set outbox_bytes_max lower",
            zh="请清理磁盘，或调低 outbox_bytes_max",
        ),
    )


def clock(now: datetime, *, is_synchronised: bool) -> Finding:
    """Judge whether the clock may be believed."""
    said = f"{now:%F %T} UTC"
    if is_synchronised:
        return fine("clock", en=f"{said}, synchronised", zh=f"{said}，已同步")
    return warning(
        "clock",
        en=f"{said}, not synchronised: readings are kept, their times are uncertain until it is",
        zh=f"{said}，未同步：数据会保留，但时间在同步之前不确定",
        way_out=Words(
            en="timedatectl; the network must let NTP through (UDP 123), or give the box a real-time clock",
            zh="timedatectl；网络须放行 NTP（UDP 123），或为网关加装实时时钟",
        ),
    )


def certificate(expires_at: datetime | None, error: str | None, *, now: datetime) -> Finding:
    """Judge how long this gateway will be let in."""
    renew = Words(
        en="hearthwatch gateway enrol --gateway-id NAME; at the site hearthwatch site enrol --again; here --install",
        zh="本机运行 hearthwatch gateway enrol，站点运行 hearthwatch site enrol --again，再在本机 --install",
    )
    if error is not None:
        return broken("certificate", en=error, zh=f"证书有误：{error}", way_out=renew)
    if expires_at is None:
        return warning(
            "certificate",
            en="none: this gateway is known by password or not at all, and may speak in the clear",
            zh="没有证书：本网关仅用密码或匿名接入，传输可能未加密",
            way_out=renew,
        )
    days = (expires_at - now).days
    if expires_at <= now:
        return broken("certificate", en=f"it ended on {expires_at:%F}", zh=f"已于 {expires_at:%F} 到期", way_out=renew)
    if expires_at - now < SOON:
        return warning(
            "certificate",
            en=f"{days} days left, until {expires_at:%F}",
            zh=f"剩余 {days} 天，{expires_at:%F} 到期",
            way_out=renew,
        )
    return fine(
        "certificate", en=f"{days} days left, until {expires_at:%F}", zh=f"剩余 {days} 天，{expires_at:%F} 到期"
    )


def card(cards: Sequence[Card]) -> Finding:
    """Judge the storage, as far as it says anything of itself (SD cards mostly do not)."""
    replace = Words(en="replace the card now; enrol the box anew", zh="请立即更换存储卡，并重新登记本网关")
    failing = [each for each in cards if each.file_system_errors]
    worn = [each for each in cards if (each.worn_percent or 0) >= WORN_PERCENT]
    said = ", ".join(_said(each) for each in failing or worn or cards)
    if failing:
        return broken("card", en=f"errors were found: {said}", zh=f"文件系统有错误：{said}", way_out=replace)
    if worn:
        return warning("card", en=f"near its end: {said}", zh=f"接近寿命终点：{said}", way_out=replace)
    if cards:
        return fine("card", en=said, zh=said)
    return fine(
        "card", en="it says nothing of its own health, and shows no errors", zh="存储卡不提供健康信息；未见错误"
    )


def power(is_low: bool | None) -> Finding | None:
    """Judge the supply of a board that measures it; None where it does not."""
    if is_low is None:
        return None
    if not is_low:
        return fine("power", en="the voltage is right", zh="电压正常")
    return broken(
        "power",
        en="the voltage is too low: Bluetooth and card fail at random under it",
        zh="电压过低：蓝牙和存储卡会随机出错",
        way_out=Words(
            en="use the board's own power supply, and a short thick cable", zh="请使用原装电源和短而粗的电源线"
        ),
    )


def alarm(*, sounds: bool, shines: bool, failures: Sequence[str]) -> Finding:
    """Judge the alarm's sound and light after one trial; whether they are loud and bright only people can say."""
    if not (sounds or shines):
        return warning(
            "alarm",
            en="this box can neither sound nor shine: nobody at home notices its alarm",
            zh="本盒子既无声音也无指示灯：家里人察觉不到本地报警",
            way_out=Words(
                en="set command or led under [local_alarm] (docs/local-alarm.md), or tell the family that it is mute",
                zh="请在 [local_alarm] 中设置 command 或 led（见 docs/local-alarm.md），否则请告知家属盒子不会报警",
            ),
        )
    if failures:
        why = "; ".join(failures)
        return broken(
            "alarm",
            en=f"it can not be heard or seen as it should: {why}",
            zh=f"本地报警的声音或灯光失败：{why}",
            way_out=Words(
                en="correct [local_alarm]; sound card and LEDs need install.sh --alarm-output",
                zh="请更正 [local_alarm]；使用声卡和指示灯需以 install.sh --alarm-output 安装",
            ),
        )
    en, zh = " and ".join(["sound"] * sounds + ["light"] * shines), "和".join(["声音"] * sounds + ["灯光"] * shines)
    return fine(
        "alarm",
        en=f"{en} done once: was it heard and seen where people sleep?",
        zh=f"{zh}已测试一次：睡觉的房间能听到、看到吗？",
    )


def as_lines(findings: Sequence[Finding]) -> list[str]:
    """Write findings for a technician: a word, the check, English, and Chinese beneath."""
    lines = []
    for each in findings:
        lines.append(f"{_WORDS[each.verdict]:5} {each.check:{_CHECK_WIDTH}} {each.found.en}")
        indent = " " * (5 + 1 + _CHECK_WIDTH + 1)
        lines.append(f"{indent}{each.found.zh}")
        if each.way_out is not None:
            lines += [f"{indent}→ {each.way_out.en}", f"{indent}→ {each.way_out.zh}"]
    return lines


def as_document(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """Write findings for programs."""
    return [
        {
            "check": each.check,
            "verdict": _WORDS[each.verdict].lower(),
            "found": {"en": each.found.en, "zh": each.found.zh},
            "way_out": {"en": each.way_out.en, "zh": each.way_out.zh} if each.way_out else None,
        }
        for each in findings
    ]


def _said(card: Card) -> str:
    parts = []
    if card.worn_percent is not None:
        parts.append(f"{card.worn_percent} % worn")
    if card.file_system_errors:
        parts.append(f"{card.file_system_errors} errors")
    return f"{card.name} {', '.join(parts) or 'no errors'}"


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
