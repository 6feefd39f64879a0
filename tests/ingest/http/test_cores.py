"""The cores of the HTTP intake: what a row's fate makes of an answer, gzip within bounds, the pace, a token's form."""

import gzip
import itertools
import json
import zlib
from http import HTTPStatus
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.http import document
from ingest.http.answers import STATUS, Answer, Fate, Outcome, Standing, answer_of, status_of
from ingest.http.inflating import BadGzip, InflatesTooFar, inflate
from ingest.http.pace import Pace
from ingest.http.problems import Problem, RequestRefused, UnreadableDocument
from ingest.http.token_form import TOKEN_BYTES, bearer, fingerprint, written
from ingest.judging.decode import Refused, read_json
from ingest.judging.rejection import ROW_REJECTIONS, Rejection
from ingest.judging.screening import QUARANTINED, REPEATED, SCREENED_DTYPE, TAKEN, Incoming
from vitals.wire_json import JsonFault, JsonWireError, pack_json, unpack_json

TAKEN_BEFORE = -1


def message(rows: int, first_row: int = 100) -> Incoming:
    """A readable message of so many rows."""
    body = {
        **document.READINGS_EXAMPLE,
        "first_row": first_row,
        "offset_ms": list(range(rows)),
        "device": [0] * rows,
        "signal": ["spo2"] * rows,
        "value": [97] * rows,
        "quality": ["good"] * rows,
        "reason": ["none"] * rows,
    }
    return Incoming(gateway_id="phone-17", received_ms=0, decoded=read_json(json.dumps(body).encode()))


def answered(*codes: int) -> Answer:
    """The answer where each row fared by its code of the screening; TAKEN_BEFORE: it was not judged at all."""
    fresh = [(100 + place, code) for place, code in enumerate(codes) if code != TAKEN_BEFORE]
    judged = np.zeros(len(fresh), SCREENED_DTYPE)
    judged["row_no"] = [row for row, _ in fresh]
    judged["rejection"] = [code for _, code in fresh]
    return answer_of(message(len(codes)), judged, [])


CONFLICT = ROW_REJECTIONS.index(Rejection.CONFLICT)
TOO_OLD = ROW_REJECTIONS.index(Rejection.TOO_OLD)


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ([TAKEN, TAKEN], 200),
        ([TAKEN_BEFORE], 409),
        ([REPEATED], 409),
        ([CONFLICT], 409),
        ([TAKEN_BEFORE, REPEATED, CONFLICT], 409),
        ([TOO_OLD], 207),
        ([QUARANTINED], 207),
        ([TAKEN, TOO_OLD], 207),
        ([TAKEN, CONFLICT], 207),
        ([TAKEN, TAKEN_BEFORE], 207),
        ([TAKEN_BEFORE, TOO_OLD], 207),
        ([CONFLICT, QUARANTINED, TAKEN], 207),
    ],
)
def test_the_status_says_whether_all_is_new_or_all_was_there(codes: list[int], status: int) -> None:
    assert status_of(answered(*codes)) == status


def test_the_table_of_statuses_knows_every_mixture() -> None:
    mixtures = [frozenset(each) for count in (1, 2, 3) for each in itertools.combinations(Standing, count)]
    assert set(STATUS) == set(mixtures)


CODES = st.sampled_from([TAKEN_BEFORE, TAKEN, REPEATED, QUARANTINED, *range(len(ROW_REJECTIONS))])


@given(st.lists(CODES, min_size=1, max_size=60))
def test_every_row_is_in_exactly_one_range_and_the_counts_agree(codes: list[int]) -> None:
    answer = answered(*codes)
    told = sorted(
        (row, each.reason or "")
        for each in answer.outcomes
        for part in each.ranges
        for row in range(part.first_row, part.last_row + 1)
    )
    words = {TAKEN_BEFORE: "row_taken_before", REPEATED: "equal_value_stored", TAKEN: "", QUARANTINED: "store_error"}
    expected = [words[code] if code in words else ROW_REJECTIONS[code].value for code in codes]
    assert told == list(enumerate(expected, 100))
    assert answer.stored + answer.duplicates + answer.rejected == answer.rows == len(codes)
    assert answer.stored == codes.count(TAKEN)
    firsts = [each.ranges[0].first_row for each in answer.outcomes]
    assert firsts == sorted(firsts)
    assert status_of(answer) in (200, 207, 409)


def test_an_answer_with_no_outcome_is_not_one() -> None:
    with pytest.raises(ValueError, match="ranges"):
        Outcome(outcome=Fate.STORED, rows=1, ranges=[])


@given(st.binary(max_size=3000), st.integers(0, 9))
def test_what_was_packed_is_unpacked(content: bytes, level: int) -> None:
    assert inflate(gzip.compress(content, level), bytes_max=3000) == content
    if content:
        with pytest.raises(InflatesTooFar, match=f"more than {len(content) - 1}"):
            inflate(gzip.compress(content, level), bytes_max=len(content) - 1)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: gzip.compress(b"x" * 50)[:30] + tail))
def test_any_bytes_are_unpacked_or_refused_by_name(body: bytes) -> None:
    try:
        assert len(inflate(body, bytes_max=1000)) <= 1000
    except (BadGzip, InflatesTooFar):
        return


def test_gzip_that_is_cut_or_followed_by_more_is_refused() -> None:
    packed = gzip.compress(b"x" * 1000)
    with pytest.raises(BadGzip, match="cut short"):
        inflate(packed[:-4], bytes_max=1000)
    with pytest.raises(BadGzip, match="3 bytes stand behind"):
        inflate(packed + b"abc", bytes_max=1000)
    with pytest.raises(BadGzip, match="no gzip"):
        inflate(zlib.compress(b"x"), bytes_max=1000)


def test_a_token_spends_its_burst_and_then_its_rate() -> None:
    pace = Pace(per_s=2, burst=3)
    assert [pace.wait_s(1, 10.0) for _ in range(3)] == [0, 0, 0]
    assert pace.wait_s(1, 10.0) == 0.5
    assert pace.wait_s(1, 10.25) == 0.25
    assert pace.wait_s(2, 10.25) == 0
    assert pace.wait_s(1, 10.5) == 0
    assert pace.wait_s(1, 10.5) == 0.5
    assert [pace.wait_s(1, 1000.0) for _ in range(4)] == [0, 0, 0, 0.5]


@given(st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES))
def test_a_token_that_was_written_is_read_from_its_header(secret: bytes) -> None:
    token = written(secret)
    assert bearer(f"Bearer {token}") == bearer(f"bearer  {token} ") == token
    assert len(fingerprint(token)) == 32
    for wrong in (token, f"Basic {token}", f"Bearer {token}x", f"Bearer {token[:-1]}", f"Bearer {token[4:]}", "Bearer"):
        assert bearer(wrong) is None


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_has_a_status_a_title_and_a_wait_that_is_no_loop(problem: Problem) -> None:
    refused = RequestRefused(problem, "why", retry_after_s=0.01)
    assert 400 <= refused.document.status < 600
    assert HTTPStatus(refused.document.status)
    assert refused.document.title.endswith(".")
    assert refused.headers["Retry-After"] == "1"


@pytest.mark.parametrize("fault", JsonFault)
def test_every_fault_of_a_document_is_a_problem_of_its_name(fault: JsonFault) -> None:
    told = UnreadableDocument(Refused(Rejection(fault.value), "said", field="value[3]")).document
    assert (told.name, told.field) == (fault, "value[3]")
    assert told.status == (413 if fault is JsonFault.OVERSIZED else 400)


def test_the_description_has_the_fields_that_are_read() -> None:
    written = json.loads(pack_json(message(1).decoded.header, []))
    assert list(document.READINGS["properties"]) == list(written)
    assert set(written) - set(document.READINGS["required"]) == {"quality", "reason"}
    with pytest.raises(JsonWireError, match="outbox_id, first_row"):  # an unknown field: the known ones are named
        unpack_json(json.dumps({**document.READINGS_EXAMPLE, "x": 1}).encode())
    for name in document.READINGS["required"]:
        with pytest.raises(JsonWireError, match=f"missing_field: {name}"):
            unpack_json(
                json.dumps({key: each for key, each in document.READINGS_EXAMPLE.items() if key != name}).encode()
            )


def test_the_examples_of_the_description_are_what_they_say() -> None:
    example = json.dumps(document.READINGS_EXAMPLE).encode()
    assert unpack_json(example).header.outbox_id == UUID("00112233-4455-6677-8899-aabbccddeeff")
    for status, answer in document.ANSWER_EXAMPLES.items():
        assert status_of(Answer.model_validate(answer)) == status
