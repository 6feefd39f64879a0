"""What a technician is told of Bluetooth: the stack, its adapters, and what is heard in the room (core)."""

from collections.abc import Sequence
from dataclasses import dataclass

from vitals.finding import Finding, Words, broken, fine, unknown, warning

VERSION_MIN = (5, 66)
"""Debian 12's; what the gateway was tried with."""
SHOWN_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSeen:
    """One adapter as BlueZ shows it."""

    name: str
    address: str
    is_powered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthDevice:
    """A device in reach that a driver knows."""

    address: str
    name: str
    product: str
    rssi: int


def bluetooth(error: str | None, *, version: str | None) -> Finding:
    """Judge D-Bus and bluetoothd."""
    if error is not None:
        return broken(
            "bluetooth",
            en=error,
            zh=f"蓝牙服务不可用：{error}",
            way_out=Words(
                en="systemctl status dbus bluetooth; the user hearthwatch must be in the group bluetooth",
                zh="systemctl status dbus bluetooth；用户 hearthwatch 须在 bluetooth 组中",
            ),
        )
    if version is None:
        return fine("bluetooth", en="bluetoothd is there; its version is not known", zh="bluetoothd 运行中；版本未知")
    if _numbers(version) < VERSION_MIN:
        wanted = ".".join(map(str, VERSION_MIN))
        return warning(
            "bluetooth",
            en=f"bluetoothd {version} is older than {wanted}, with which the gateway was tried",
            zh=f"bluetoothd {version} 低于经过验证的 {wanted}",
            way_out=Words(en="use Debian 12 or newer", zh="请使用 Debian 12 或更高版本"),
        )
    return fine("bluetooth", en=f"bluetoothd {version} is there", zh=f"bluetoothd {version} 运行中")


def adapters(seen: Sequence[AdapterSeen], *, wanted: Sequence[str]) -> Finding:
    """Judge the adapters: those of the settings, else any, must be there and powered."""
    said = ", ".join(f"{each.name} {each.address}{'' if each.is_powered else ' (off)'}" for each in seen)
    missing = [name for name in wanted if name not in {each.name for each in seen}]
    if missing or not seen:
        return broken(
            "adapters",
            en=f"{', '.join(missing) or 'no adapter'} is not there" + (f"; there is {said}" if said else ""),
            zh=f"未找到{'：' + ', '.join(missing) if missing else '任何蓝牙适配器'}"
            + (f"；现有 {said}" if said else ""),
            way_out=Words(
                en="plug it in, or enable the built-in one (on a Pi: no dtoverlay=disable-bt in config.txt)",
                zh="请插入适配器，或启用内置蓝牙（树莓派：config.txt 中不得有 dtoverlay=disable-bt）",
            ),
        )
    used = [each for each in seen if not wanted or each.name in wanted]
    if any(not each.is_powered for each in used):
        return broken(
            "adapters",
            en=said,
            zh=said,
            way_out=Words(
                en="rfkill unblock bluetooth; bluetoothctl power on",
                zh="rfkill unblock bluetooth; bluetoothctl power on",
            ),
        )
    return fine("adapters", en=f"{said}, powered", zh=f"{said}，已开启")


def air(error: str | None, *, heard: int, seconds: float, devices: Sequence[HealthDevice]) -> Finding:
    """Judge what was heard: anything at all, and health devices among it."""
    if error is not None:
        return broken(
            "air",
            en=f"no scanning: {error}",
            zh=f"无法扫描：{error}",
            way_out=Words(en="systemctl restart bluetooth", zh="systemctl restart bluetooth"),
        )
    if not heard:
        return warning(
            "air",
            en=f"nothing was heard for {seconds:g} s: the adapter may be deaf, or the house is empty",
            zh=f"{seconds:g} 秒内未收到任何广播：适配器可能失灵，或周围没有设备",
            way_out=Words(
                en="switch a device on beside the box; away from metal, the television and USB 3 drives",
                zh="请在网关旁打开一台设备；远离金属、电视和 USB 3 硬盘",
            ),
        )
    listed = "; ".join(
        f"{each.name or each.address} ({each.product}, {each.address}, {each.rssi} dBm)" for each in devices[:SHOWN_MAX]
    )
    if len(devices) > SHOWN_MAX:
        listed += f" +{len(devices) - SHOWN_MAX}"
    if not devices:
        return fine(
            "air",
            en=f"{heard} devices heard, no health device: most advertise only while they are worn or just used",
            zh=f"收到 {heard} 台设备的广播，其中没有健康设备：多数设备仅在佩戴或使用时才会广播",
        )
    return fine("air", en=f"{heard} devices heard; {listed}", zh=f"收到 {heard} 台设备的广播；{listed}")


def radio_unknown() -> list[Finding]:
    """Say that adapters and air could not be looked at."""
    return [unknown(check, because="bluetooth") for check in ("adapters", "air")]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
