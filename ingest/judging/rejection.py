"""Why a message or reading was not taken into `sample`: every reason by name, with one sentence each for people."""

from enum import StrEnum

from vitals.wire import Fault
from vitals.wire_json import JsonFault


class Rejection(StrEnum):
    """A reason in `rejected`. The first two blocks refuse a whole message, the last one single readings."""

    # The payload can not be read (vitals.wire.Fault, vitals.wire_json.JsonFault).
    WRONG_MAGIC = Fault.WRONG_MAGIC.value
    UNKNOWN_VERSION = Fault.UNKNOWN_VERSION.value
    TRUNCATED = Fault.TRUNCATED.value
    TRAILING_BYTES = Fault.TRAILING_BYTES.value
    BAD_CRC = Fault.BAD_CRC.value
    OVERSIZED = Fault.OVERSIZED.value
    BAD_DEVICE_TABLE = Fault.BAD_DEVICE_TABLE.value
    UNKNOWN_FLAGS = Fault.UNKNOWN_FLAGS.value
    NOT_JSON = JsonFault.NOT_JSON.value
    UNKNOWN_FIELD = JsonFault.UNKNOWN_FIELD.value
    MISSING_FIELD = JsonFault.MISSING_FIELD.value
    WRONG_TYPE = JsonFault.WRONG_TYPE.value
    OUT_OF_RANGE = JsonFault.OUT_OF_RANGE.value
    UNKNOWN_NAME = JsonFault.UNKNOWN_NAME.value
    UNEQUAL_COLUMNS = JsonFault.UNEQUAL_COLUMNS.value
    # The message can be read and yet not be taken.
    BAD_TOPIC = "bad_topic"
    BAD_ROW_NUMBER = "bad_row_number"
    STORE_ERROR = "store_error"
    # Single readings; where several apply, the first counts.
    UNKNOWN_GATEWAY = "unknown_gateway"
    FOREIGN_OUTBOX = "foreign_outbox"
    BAD_DEVICE_INDEX = "bad_device_index"
    UNKNOWN_SIGNAL = "unknown_signal"
    BAD_QUALITY = "bad_quality"
    SIMULATED = "simulated"
    UNKNOWN_DEVICE = "unknown_device"
    FUTURE = "future"
    TOO_OLD = "too_old"
    UNBOUND_DEVICE = "unbound_device"
    AMBIGUOUS = "ambiguous"
    CONFLICT = "conflict"


EXPLANATION: dict[Rejection, tuple[str, str]] = {
    Rejection.WRONG_MAGIC: (
        "报文开头不是约定的标识,不是本系统的读数报文。",
        "The message does not start with our mark: it is no readings message.",
    ),
    Rejection.UNKNOWN_VERSION: (
        "报文版本未知:请先升级接收端,再升级网关。",
        "The message's version is not known here: update ingest before the gateways.",
    ),
    Rejection.TRUNCATED: ("报文不完整,末尾缺失。", "The message ends before it is complete."),
    Rejection.TRAILING_BYTES: ("最后一条读数之后还有多余字节。", "There are bytes after the message's last reading."),
    Rejection.BAD_CRC: (
        "校验和不符,报文在途中损坏。",
        "The checksum does not match: the message was damaged on its way.",
    ),
    Rejection.OVERSIZED: ("报文超过允许的大小。", "The message is larger than allowed."),
    Rejection.BAD_DEVICE_TABLE: ("报文中的设备表无法读取。", "The message's table of devices can not be read."),
    Rejection.UNKNOWN_FLAGS: ("报文带有未知标志位。", "The message carries flags that are not known here."),
    Rejection.NOT_JSON: ("内容不是有效的 JSON。", "The content is no valid JSON."),
    Rejection.UNKNOWN_FIELD: ("JSON 中有未知字段。", "The JSON has a field that is not known."),
    Rejection.MISSING_FIELD: ("JSON 缺少必需字段。", "The JSON lacks a field that is needed."),
    Rejection.WRONG_TYPE: ("JSON 字段类型错误。", "A JSON field is of the wrong type."),
    Rejection.OUT_OF_RANGE: ("JSON 字段的数值超出允许范围。", "A JSON field's number is outside its allowed range."),
    Rejection.UNKNOWN_NAME: (
        "JSON 中的信号、质量、原因或采集方式名称未知。",
        "The JSON names a signal, quality, reason or acquisition that is not known.",
    ),
    Rejection.UNEQUAL_COLUMNS: ("JSON 各列长度不一致。", "The JSON's columns are not of one length."),
    Rejection.BAD_TOPIC: (
        "主题中的网关编号格式不正确。",
        "The topic's gateway id is malformed, so the sender is not known.",
    ),
    Rejection.BAD_ROW_NUMBER: ("读数编号为负或过大。", "The row numbers are negative or too large."),
    Rejection.STORE_ERROR: (
        "数据库拒绝了这条报文:请查看日志,修正后重放。",
        "The database refused this message: see the log, mend the cause, replay it.",
    ),
    Rejection.UNKNOWN_GATEWAY: ("该网关未登记。", "The gateway is not in the registry."),
    Rejection.FOREIGN_OUTBOX: (
        "该发件箱属于另一个网关,可能是存储卡镜像被复制:请让本网关新建自己的发件箱。",
        "The outbox is another gateway's (a copied file or image?): let this gateway make an outbox of its own.",
    ),
    Rejection.BAD_DEVICE_INDEX: (
        "读数指向设备表中不存在的设备。",
        "The reading points outside the message's table of devices.",
    ),
    Rejection.UNKNOWN_SIGNAL: ("信号代码未知。", "The signal's code is not known."),
    Rejection.BAD_QUALITY: ("质量或原因代码无效。", "The number of the quality or of the reason is not valid."),
    Rejection.SIMULATED: (
        "设备标明这是演示或测试数据,而该机构不是模拟站点。",
        "The device calls it a demonstration or a test, and the gateway's organisation is no simulator site.",
    ),
    Rejection.UNKNOWN_DEVICE: ("该设备未登记。", "The device is not in the registry."),
    Rejection.FUTURE: (
        "设备存储的记录时间在未来:请校准设备时钟。",
        "A record from the device's memory is dated in the future: set the device's clock.",
    ),
    Rejection.TOO_OLD: ("读数早于保存期限。", "The reading is older than readings are kept."),
    Rejection.UNBOUND_DEVICE: (
        "测量时该设备未绑定任何患者。",
        "No patient was bound to the device when it measured.",
    ),
    Rejection.AMBIGUOUS: (
        "设备时钟未经核实,且此后已换人使用,无法确定属于哪位患者。",
        "The clock is not verified and the device has another wearer by now: whose reading it is can not be told.",
    ),
    Rejection.CONFLICT: (
        "同一设备同一时刻已存有不同数值。",
        "Another value of this device and instant is stored already.",
    ),
}

ROW_REJECTIONS = tuple(Rejection)[list(Rejection).index(Rejection.UNKNOWN_GATEWAY) :]
"""The reasons of single readings, in the order in which they are judged."""
