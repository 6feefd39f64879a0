"""A message that is judged as a whole comes out as if each of its readings had been judged alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.judging.bindings import Binding, Bindings
from ingest.judging.decode import PACKED_DTYPE, Decoded, gather
from ingest.judging.screening import SCREENED_DTYPE, TAKEN, Incoming, screen
from vitals.wire import DeviceEntry, Header

NOW_MS = 1_772_366_400_000
LENT_AT = datetime.fromtimestamp(NOW_MS / 1000, UTC)
DAYS = 90
DAY_MS = 86_400_000
BOUND, LENT, UNBOUND, UNKNOWN = "bound", "lent", "unbound", "unknown"
BINDINGS = Bindings.build(
    version=1,
    gateways=["gw-1", "gw-2"],
    devices={BOUND: 11, LENT: 12, UNBOUND: 13},
    bindings=[
        Binding(device_id=11, patient_id=1, valid_from=None, valid_until=None),
        Binding(device_id=12, patient_id=2, valid_from=None, valid_until=LENT_AT),
        Binding(device_id=12, patient_id=3, valid_from=LENT_AT, valid_until=LENT_AT + timedelta(seconds=2)),
    ],
)
OUTBOX = UUID(int=1)


def mostly(usual: object, *others: object) -> st.SearchStrategy[object]:
    return st.sampled_from([usual] * 9 * len(others) + [*others])


NEAR = st.sampled_from([-DAYS * DAY_MS - 1, -DAYS * DAY_MS, -3_000, -1, 0, 1, 59_999, 60_000, 60_001])
ROW = st.tuples(
    st.sampled_from([0, 1, 2_000, 3_000]),
    mostly(0, 1),
    mostly(1, 2, 4, 99),
    st.sampled_from([9_700, 9_700, 8_800, 10_100, -32_768, 3_700]),
    mostly(0, 1, 3, 9),
    mostly(0, 3, 9, 14, 63, 200),
)
MESSAGE = st.builds(
    lambda rows, at, sent, received, known, clock, gateway, foreign, mode: Incoming(
        gateway_id=gateway,
        received_ms=NOW_MS + received,
        decoded=Decoded(
            header=Header(
                outbox_id=UUID(int=2) if foreign else OUTBOX,
                first_row=0,
                boot_id=1,
                t0_ms=NOW_MS + at,
                sent_ms=NOW_MS + sent,
                synchronised=clock,
                backlog=False,
                offset_unit_ms=1,
                devices=tuple(DeviceEntry(device=device, acquisition=mode) for device in known),
            ),
            rows=np.array(rows, PACKED_DTYPE),
        ),
    ),
    st.lists(ROW, min_size=1, max_size=4),
    NEAR,
    st.sampled_from([-5_000, 0, 1]),
    st.sampled_from([0, 0, 1_500]),
    st.lists(st.sampled_from([BOUND, BOUND, LENT, UNBOUND]), min_size=1, max_size=2),
    mostly(True, False),
    mostly("gw-1", "gw-2", "gw-3"),
    mostly(False, True),
    mostly(0, 1, 2),
)
OWNERS = {OUTBOX: "gw-1"}
FIELDS = [name for name in SCREENED_DTYPE.names or () if name != "slot"]


def judged_each(message: Incoming) -> Incoming:
    """Name one more device, that nobody knows and no reading is of: now the message can not be judged as a whole."""
    header = message.decoded.header
    stranger = DeviceEntry(device=UNKNOWN, acquisition=0)
    return replace(
        message, decoded=replace(message.decoded, header=replace(header, devices=(*header.devices, stranger)))
    )


def inside_its_table(message: Incoming) -> bool:
    return bool((message.decoded.rows["device"] < len(message.decoded.header.devices)).all())


@settings(deadline=None, max_examples=1000)
@given(st.lists(MESSAGE.filter(inside_its_table), min_size=1, max_size=4))
@example([])
def test_as_a_whole_or_each_alone(messages: list[Incoming]) -> None:
    found = [
        screen(batch, gather([each.decoded for each in batch]), BINDINGS, owners=OWNERS, retention_days=DAYS)
        for batch in (messages, [judged_each(message) for message in messages])
    ]
    whole, each = found
    assert whole.rows[FIELDS].tolist() == each.rows[FIELDS].tolist()
    assert (whole.implausible, whole.clock_ahead) == (each.implausible, each.clock_ahead)


def test_one_strange_message_leaves_the_others_as_they_are() -> None:
    rows = np.array([(0, 0, 1, 9_700, 0, 0), (1_000, 0, 2, 7_000, 0, 0)], PACKED_DTYPE)
    header = Header(
        outbox_id=OUTBOX,
        first_row=0,
        boot_id=1,
        t0_ms=NOW_MS,
        sent_ms=NOW_MS,
        synchronised=True,
        backlog=False,
        offset_unit_ms=1,
        devices=(DeviceEntry(device=BOUND, acquisition=0),),
    )
    plain = Incoming(gateway_id="gw-1", received_ms=NOW_MS, decoded=Decoded(header=header, rows=rows))
    strange = replace(plain, gateway_id="gw-3")
    batch = [plain, strange, plain]
    screened = screen(batch, gather([m.decoded for m in batch]), BINDINGS, owners=OWNERS, retention_days=DAYS)
    assert (screened.rows["rejection"] == TAKEN).tolist() == [True, True, False, False, True, True]
    assert screened.rows["patient"][:2].tolist() == [1, 1]
