"""Checks of the machine itself: Python, the wall clock, the clinical clock; what a gateway keeps on it."""

import sys
from datetime import UTC, datetime

from gateway.box.machine import ClockTrust, LinuxMachine
from gateway.outbox.outbox import OutboxError, read_account
from gateway.settings import PREFIX, GatewaySettings, SettingsError
from vitals.clock import ClinicalClock
from vitals.finding import Finding, Words, broken, fine, warning

GATEWAY_SETTINGS = "gateway settings"
PYTHON_MIN = (3, 11)
_NEVER_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


def python_version(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Check that this Python is new enough."""
    said = ".".join(map(str, version))
    if version[:2] >= PYTHON_MIN:
        return fine("python", en=said, zh=said)
    return broken(
        "python",
        en=f"Python {said} is too old",
        zh=f"Python {said} 版本过低",
        way_out=Words(en="install Python 3.11 or newer", zh="请安装 Python 3.11 或更高版本"),
    )


def wall_clock(now: datetime | None = None, *, synchronised: bool | None = None) -> Finding:
    """Check that the machine's clock can be believed."""
    instant = now or datetime.now(UTC)
    said = f"{instant:%F %T} UTC"
    if instant < _NEVER_BEFORE:
        return broken(
            "clock",
            en=f"the clock says {said}, which cannot be",
            zh=f"系统时间为 {said}，不可能正确",
            way_out=_keep_time(),
        )
    if not (LinuxMachine(ClockTrust.AUTO).is_synchronised() if synchronised is None else synchronised):
        return warning(
            "clock",
            en=f"{said}, and nobody keeps it right: the kernel calls it unsynchronised",
            zh=f"{said}，但未与时间服务器同步",
            way_out=_keep_time(),
        )
    return fine("clock", en=f"{said}, synchronised", zh=f"{said}，已同步")


def clinical_clock(origin: str, speed: float) -> Finding:
    """Check the clock that rules and timers live in."""
    try:
        ClinicalClock.parse(origin, speed)
    except ValueError as error:
        return broken(
            "clinical clock",
            en=f"the settings are wrong: {error}",
            zh=f"设置有误：{error}",
            way_out=_real_time(),
        )
    if origin:
        return warning(
            "clinical clock",
            en=f"runs {speed:g} times as fast since {origin}: this is a drill, not care",
            zh=f"自 {origin} 起以 {speed:g} 倍速运行：这是演练，不能用于真实患者",
            way_out=_real_time(),
        )
    return fine("clinical clock", en="real time", zh="真实时间")


def _keep_time() -> Words:
    return Words(
        en="let systemd-timesyncd or chrony keep the time: apt-get install systemd-timesyncd",
        zh="请启用 systemd-timesyncd 或 chrony 校时：apt-get install systemd-timesyncd",
    )


def _real_time() -> Words:
    return Words(
        en="for real patients remove HEARTHWATCH_CLOCK_ORIGIN and HEARTHWATCH_CLOCK_SPEED everywhere",
        zh="用于真实患者时，请在所有进程中删除 HEARTHWATCH_CLOCK_ORIGIN 和 HEARTHWATCH_CLOCK_SPEED",
    )


def gateway_settings_wrong(error: SettingsError) -> Finding:
    """Say what is wrong with a gateway's settings."""
    return broken(
        GATEWAY_SETTINGS,
        en=f"are wrong: {error}",
        zh=f"有误：{error}",
        way_out=Words(
            en=f"correct {PREFIX}… in the environment, or give the gateway's file with --config",
            zh=f"请更正环境变量 {PREFIX}…，或用 --config 给出网关的配置文件",
        ),
    )


def ingest_settings_wrong(said: str) -> Finding:
    """Say what is wrong with ingest's settings, by which the broker is to be met."""
    return broken(
        "broker",
        en=f"ingest's settings are wrong: {said}",
        zh=f"ingest 的设置有误：{said}",
        way_out=Words(en="correct HEARTHWATCH_INGEST_… in the environment", zh="请更正环境变量 HEARTHWATCH_INGEST_…"),
    )


def outbox(settings: GatewaySettings) -> Finding:
    """Check that the outbox can be opened, also while the gateway runs."""
    path = settings.outbox_path
    if path.parent.is_dir() and not path.exists():
        return warning(
            "outbox",
            en=f"{path.absolute()} is not there: no gateway has run with these settings",
            zh=f"{path.absolute()} 不存在：网关尚未用此配置运行过",
            way_out=Words(
                en=f"start the gateway, or set {PREFIX}OUTBOX_PATH to where the outbox lies",
                zh=f"请启动网关，或将 {PREFIX}OUTBOX_PATH 指向发件箱文件",
            ),
        )
    try:
        account, _ = read_account(path)
    except OutboxError as error:
        return broken(
            "outbox",
            en=f"cannot be opened: {error}",
            zh=f"无法打开：{error}",
            way_out=Words(
                en="run the doctor as the gateway's user; look at the folder's rights and at the disk",
                zh="请以网关用户运行 doctor，并检查目录权限和磁盘",
            ),
        )
    return fine(
        "outbox",
        en=f"{path.absolute()} opens; {account.depth} readings wait in it",
        zh=f"{path.absolute()} 可以打开；其中有 {account.depth} 条待发送",
    )
