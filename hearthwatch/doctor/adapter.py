"""Check of a gateway's radio: BlueZ on the system bus, and an adapter that is powered."""

import asyncio

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError

from vitals.finding import Finding, Words, broken, fine

_PATIENCE_S = 5.0


def adapter() -> Finding:
    """Ask BlueZ for its adapters."""
    try:
        answer = asyncio.run(asyncio.wait_for(_managed_objects(), _PATIENCE_S))
    except (OSError, EOFError, AuthError) as error:
        reason = str(error) or f"no answer within {_PATIENCE_S:g} s"
        return broken(
            "bluetooth",
            en=f"the system bus cannot be reached: {reason}",
            zh=f"无法连接系统总线：{reason}",
            way_out=Words(
                en="start it: systemctl start dbus; in a container mount /run/dbus",
                zh="请启动：systemctl start dbus；容器内需挂载 /run/dbus",
            ),
        )
    if answer.message_type is MessageType.ERROR:
        return broken(
            "bluetooth",
            en=f"BlueZ does not answer: {answer.error_name}",
            zh=f"BlueZ 没有响应：{answer.error_name}",
            way_out=Words(
                en="apt-get install bluez; systemctl enable --now bluetooth",
                zh="apt-get install bluez; systemctl enable --now bluetooth",
            ),
        )
    adapters = {
        path.rpartition("/")[2]: interfaces["org.bluez.Adapter1"]
        for path, interfaces in answer.body[0].items()
        if "org.bluez.Adapter1" in interfaces
    }
    powered = [name for name, properties in adapters.items() if properties["Powered"].value]
    if powered:
        return fine("bluetooth", en=f"{', '.join(powered)} is powered", zh=f"{', '.join(powered)} 已开启")
    if adapters:
        return broken(
            "bluetooth",
            en=f"{', '.join(adapters)} is there and not powered",
            zh=f"{', '.join(adapters)} 未开启",
            way_out=Words(
                en="rfkill unblock bluetooth; bluetoothctl power on",
                zh="rfkill unblock bluetooth; bluetoothctl power on",
            ),
        )
    return broken(
        "bluetooth",
        en="BlueZ knows no adapter",
        zh="BlueZ 未找到蓝牙适配器",
        way_out=Words(
            en="plug one in, or enable the built-in one (on a Pi: no dtoverlay=disable-bt in config.txt)",
            zh="请插入适配器，或启用内置蓝牙（树莓派：config.txt 中不得有 dtoverlay=disable-bt）",
        ),
    )


async def _managed_objects() -> Message:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        answer = await bus.call(
            Message(
                destination="org.bluez",
                path="/",
                interface="org.freedesktop.DBus.ObjectManager",
                member="GetManagedObjects",
            )
        )
    finally:
        bus.disconnect()
    assert answer is not None, "a call without the no-reply flag is answered"
    return answer
