"""What OpenAPI says of the HTTP intake: the request as a JSON schema, made from the same constants that judge it."""

from typing import Any

from ingest.http.answers import Answer
from ingest.http.problems import MEDIA_TYPE, ProblemDocument
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition
from vitals.signals import SIGNALS
from vitals.topics import GATEWAY_ID
from vitals.wire import DEVICES_MAX, ROWS_MAX
from vitals.wire_json import OFFSET_MS_MAX, PAYLOAD_BYTES_MAX, ROW_NUMBER_MAX, TIME_MS_MAX, VERSION

TITLE = "hearthwatch intake"
API_VERSION = "1.0.0"
DESCRIPTION = f"""
Readings from phones and other clouds that can not speak MQTT.

**Outbox.** Give every reading a number when you take it down: an outbox id (a random UUID, made once, kept with the
readings) and a row number that counts up from 0 and is used once. Send rows in runs without a gap. The pair
(outbox id, row number) is what makes sending again harmless: nothing is ever stored twice.

**Forget on 200, 207 and 409, keep on everything else.** Those three say what became of each row, and each row is
settled. On 408, 429, 500 and 503, or where no answer comes, send the very same again (after `Retry-After`, if given;
else double your pause up to a minute). On other 4xx a person must look.

**Size.** At most {ROWS_MAX} rows and {PAYLOAD_BYTES_MAX} bytes a request, packed and unpacked alike. Few large
requests are better than many small ones.
"""

SUMMARY = "Send readings"
TAKE_DESCRIPTION = """
Stores a run of rows of one outbox in one transaction, and answers after the commit. Rows that were sent before are
found and not stored again. Single rows that can not be taken (unknown device, too old, nobody wore it then …) are put
aside with their reason and are settled too; the rows beside them are stored.
"""


def _column(items: dict[str, Any], says: str) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": ROWS_MAX, "description": says}


def _names(kind: type[Quality] | type[Reason] | type[Acquisition]) -> list[str]:
    return [each.name.lower() for each in kind]


def _integer(low: int, high: int, says: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high, "description": says}


READINGS: dict[str, Any] = {
    "type": "object",
    "title": "Readings",
    "description": "Rows of one outbox as columns: the columns are of one length, entry n of each is row "
    "`first_row` + n. Unknown fields are an error.",
    "additionalProperties": False,
    "required": [
        "version", "outbox_id", "first_row", "boot_id", "t0_ms", "sent_ms", "synchronised", "backlog", "devices",
        "offset_ms", "device", "signal", "value",
    ],
    "properties": {
        "version": {"type": "integer", "enum": [VERSION], "description": "The version of this form."},
        "outbox_id": {"type": "string", "format": "uuid", "description": "Made once, at random, kept with the rows."},
        "first_row": _integer(0, ROW_NUMBER_MAX, "Number of the first row in the outbox."),
        "boot_id": _integer(0, 2**32 - 1, "Drawn anew each time the sender starts."),
        "t0_ms": _integer(-TIME_MS_MAX, TIME_MS_MAX, "Unix time in ms that the offsets count from."),
        "sent_ms": _integer(-TIME_MS_MAX, TIME_MS_MAX, "Unix time in ms by the sender's clock, now."),
        "synchronised": {
            "type": "boolean",
            "description": "Whether the sender's clock is set by a network or a satellite. If not, times are moved by "
            "the difference between `sent_ms` and receipt.",
        },
        "backlog": {"type": "boolean", "description": "Whether these are old rows and not live ones."},
        "devices": {
            "type": "array",
            "minItems": 1,
            "maxItems": DEVICES_MAX,
            "description": "Who measured. A device that measures in two ways has two entries.",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["device", "acquisition"],
                "properties": {
                    "device": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 255,
                        "description": "The device's id in the registry, printable; of a Bluetooth device its address "
                        "in upper case with colons.",
                    },
                    "acquisition": {
                        "enum": _names(Acquisition),
                        "description": "`continuous`: a stream. `spot`: one finished measurement. `stored`: from the "
                        "device's memory, its time is the device's own.",
                    },
                },
            },
        },
        "offset_ms": _column(_integer(0, OFFSET_MS_MAX, "ms after `t0_ms`."), "When measured."),
        "device": _column(_integer(0, DEVICES_MAX - 1, "Place in `devices`, from 0."), "Which device."),
        "signal": _column({"enum": [str(signal) for signal in SIGNALS]}, "What was measured."),
        "value": _column(
            {"type": ["number", "null"]},
            "The value in its signal's unit, null for none: "
            + ", ".join(f"{signal} {spec.unit}" for signal, spec in SIGNALS.items())
            + ".",
        ),
        "quality": _column({"enum": _names(Quality)}, "How good it is; left out: all good."),
        "reason": _column({"enum": _names(Reason)}, "Why it is not good; left out: none."),
    },
}  # fmt: skip

READINGS_EXAMPLE: dict[str, Any] = {
    "version": 1,
    "outbox_id": "00112233-4455-6677-8899-aabbccddeeff",
    "first_row": 120,
    "boot_id": 7,
    "t0_ms": 1767225600000,
    "sent_ms": 1767225602500,
    "synchronised": True,
    "backlog": False,
    "devices": [{"device": "C0:00:00:00:00:01", "acquisition": "continuous"}],
    "offset_ms": [0, 0, 1000, 1000],
    "device": [0, 0, 0, 0],
    "signal": ["spo2", "pulse", "spo2", "pulse"],
    "value": [97.0, 71, 96.5, None],
    "quality": ["good", "good", "good", "invalid"],
    "reason": ["none", "none", "none", "finger_out"],
}


def _answer_example(*outcomes: dict[str, Any]) -> dict[str, Any]:
    rows = {fate: sum(each["rows"] for each in outcomes if each["outcome"] == fate) for fate in _FATES}
    return {
        "gateway": "phone-17",
        "outbox_id": READINGS_EXAMPLE["outbox_id"],
        "rows": sum(rows.values()),
        "stored": rows["stored"],
        "duplicates": rows["duplicate"],
        "rejected": rows["rejected"],
        "implausible": 0,
        "clock_ahead": 0,
        "outcomes": [{"reason": None, "device": None, "detail": None, **each} for each in outcomes],
    }


_FATES = ("stored", "duplicate", "rejected")
_SAID_BEFORE = "These row numbers of this outbox were taken before."
ANSWER_EXAMPLES = {
    200: _answer_example({"outcome": "stored", "rows": 4, "ranges": [{"first_row": 120, "last_row": 123}]}),
    207: _answer_example(
        {
            "outcome": "duplicate",
            "reason": "row_taken_before",
            "detail": _SAID_BEFORE,
            "rows": 1,
            "ranges": [{"first_row": 120, "last_row": 120}],
        },
        {"outcome": "stored", "rows": 1, "ranges": [{"first_row": 121, "last_row": 121}]},
        {
            "outcome": "rejected",
            "reason": "unknown_device",
            "device": "C0:00:00:00:00:77",
            "detail": "device 'C0:00:00:00:00:77' is not in the registry",
            "rows": 2,
            "ranges": [{"first_row": 122, "last_row": 123}],
        },
    ),
    409: _answer_example(
        {
            "outcome": "duplicate",
            "reason": "row_taken_before",
            "detail": _SAID_BEFORE,
            "rows": 4,
            "ranges": [{"first_row": 120, "last_row": 123}],
        }
    ),
}

_SETTLED = {
    200: "Every row is new and safe. Forget them.",
    207: "Some rows were there before or were put aside; `outcomes` says which. Every row is settled: forget them.",
    409: "Every row was there before, or contradicts what is stored and was put aside. Forget them.",
}
_NOT_TAKEN: dict[int | str, str] = {
    400: "The document, the gateway or the packing is wrong: `name` says how, `field` where, `detail` the value.",
    401: "No token, an unknown one, or a revoked one.",
    403: "The token does not speak for this gateway.",
    408: "The body took too long. Send it again.",
    413: "The body is too large, or unpacks to more than is taken. Send fewer rows at once.",
    415: "The body is not `application/json`, or is packed in another way than gzip.",
    429: "This token sends too often. Send the same again after `Retry-After` seconds.",
    503: "Too many requests wait (`busy`), or the database takes nothing now (`database`, with `trouble`). Send the "
    "same again after `Retry-After` seconds.",
    "default": "Anything else, as a fault of ours (500). Send the same again later.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_HEADERS: dict[int | str, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "Which kind of token is needed.", "schema": {"type": "string"}}},
    408: _RETRY_AFTER,
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}

PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

TAKE_RESPONSES: dict[int | str, dict[str, Any]] = {
    **{
        status: {"description": says, "model": Answer, "content": {"application/json": {"example": example}}}
        for (status, says), example in zip(_SETTLED.items(), ANSWER_EXAMPLES.values(), strict=True)
    },
    **{
        status: {"description": says, "content": PROBLEM_CONTENT, "headers": _HEADERS.get(status, {})}
        for status, says in _NOT_TAKEN.items()
    },
}

TAKE_EXTRA: dict[str, Any] = {
    "parameters": [
        {
            "name": "gateway",
            "in": "query",
            "required": True,
            "description": "Which gateway sends: its id in the registry, as in MQTT topics. A phone is a gateway.",
            "schema": {"type": "string", "pattern": f"^{GATEWAY_ID.pattern}$"},
            "example": "phone-17",
        },
    ],
    "requestBody": {
        "required": True,
        "description": "JSON in UTF-8, packed or not: `Content-Encoding: gzip`.",
        "content": {"application/json": {"schema": READINGS, "example": READINGS_EXAMPLE}},
    },
}


def completed(schema: dict[str, Any]) -> dict[str, Any]:
    """Add what no route names by itself: the form of a problem."""
    problem = ProblemDocument.model_json_schema()
    schema["components"]["schemas"]["Problem"] = problem
    return schema
