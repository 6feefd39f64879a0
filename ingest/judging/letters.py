"""From a topic and a payload to something that can be stored: readings, a status, or a refusal with its reason."""

from ingest.judging.decode import Refused, read_json, read_packed
from ingest.judging.refusals import PAYLOAD_BYTES_MAX, Refusal
from ingest.judging.rejection import Rejection
from ingest.judging.screening import Incoming
from ingest.judging.status import Status, read_status
from vitals.topics import Leaf, TopicError, parse_topic

Letter = Incoming | Status | Refusal


def read_letter(topic: str, payload: bytes, *, received_ms: int, retained: bool) -> Letter:
    """Read a message. What can not be read becomes a Refusal; nothing is raised on any topic or bytes."""
    source = topic
    try:
        source, leaf = parse_topic(topic)
        match leaf:
            case Leaf.READINGS:
                return Incoming(gateway_id=source, received_ms=received_ms, decoded=read_packed(payload))
            case Leaf.READINGS_JSON:
                return Incoming(gateway_id=source, received_ms=received_ms, decoded=read_json(payload))
            case Leaf.STATUS:
                return read_status(payload, gateway_id=source, received_ms=received_ms, retained=retained)
            case Leaf.ACK | Leaf.CONFIG:
                raise Refused(Rejection.BAD_TOPIC, f"{topic!r} is not for ingest")
    except TopicError as exc:
        reason, detail = Rejection.BAD_TOPIC, str(exc)
    except Refused as exc:
        reason, detail = exc.reason, str(exc)
    return unread(payload, Refused(reason, detail), source=source, received_ms=received_ms)


def reread(source: str, reason: Rejection, payload: bytes, *, received_ms: int) -> Incoming | None:
    """Read a message of readings that was put aside whole once more; None where it still can not be, or is none."""
    if reason is Rejection.BAD_TOPIC:  # its source is the topic
        letter = read_letter(source, payload, received_ms=received_ms, retained=False)
        return letter if isinstance(letter, Incoming) else None
    for read in (read_packed, read_json):
        try:
            return Incoming(gateway_id=source, received_ms=received_ms, decoded=read(payload))
        except Refused:
            continue
    return None


def unread(payload: bytes, why: Refused, *, source: str, received_ms: int) -> Refusal:
    """Make the refusal of a message that could not be read."""
    return Refusal(
        received_ms=received_ms,
        source=source[:200],
        reason=why.reason,
        detail=str(why)[:1000],
        readings=0,
        payload=payload[:PAYLOAD_BYTES_MAX],
    )


def quarantined(letter: Letter, payload: bytes, error: str) -> Refusal:
    """Make the refusal of a message that the database would not take.

    A message that holds readings is kept whole: its rows are acknowledged, so this is the only place where they are.
    """
    header = letter.decoded.header if isinstance(letter, Incoming) else None
    count = letter.decoded.row_count if isinstance(letter, Incoming) else 0
    return Refusal(
        received_ms=letter.received_ms,
        source=letter.source if isinstance(letter, Refusal) else letter.gateway_id,
        reason=Rejection.STORE_ERROR,
        detail=error.replace("\0", "")[:1000],
        readings=count,
        payload=payload if header else payload[:PAYLOAD_BYTES_MAX],
        outbox_id=header.outbox_id if header else None,
        first_row=header.first_row if header else None,
        last_row=header.first_row + count - 1 if header else None,
    )
