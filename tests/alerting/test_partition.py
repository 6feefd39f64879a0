"""What stands around the engine's step: whose row is where, who is held to what, and which rules are let stand."""

import io
import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from alerting.engine.partition import HeldAs, Partition, PatientEvent, rules_hash
from alerting.engine.table import Table
from alerting.profile.profile import Channel, Trust
from ingest.feed import PARTITION_COUNT
from tests.alerting.streams import MANY, SPO2, Sample, oracle, stream
from vitals.signals import Signal
from vitals.sustained import NEVER_MS, Kind, Limit, Phase, SustainedEvent

CRIT, REFER, AMBER, DROP, OVER = MANY
PULSE = Channel(signal=Signal.PULSE)
RULES = {SPO2: MANY, PULSE: (OVER,)}
NUMBER, ONE, OTHER = 5, 5 + 2 * PARTITION_COUNT, 5 + 3 * PARTITION_COUNT
T0_MS = 1_700_000_040_000
HELD = HeldAs(name="standard-adult+order", hash="1234", baseline=None)
IDLE, PENDING, ACTIVE = Phase.IDLE, Phase.PENDING, Phase.ACTIVE


def judge(
    partition: Partition, samples: Sequence[Sample], channel: Channel = SPO2
) -> tuple[list[PatientEvent], list[bool]]:
    """Judge samples whose row is a patient's place among his partition's."""
    said, late = partition.judge(
        channel,
        np.array([s.row * PARTITION_COUNT + NUMBER for s in samples], np.int32),
        np.array([s.t_ms for s in samples], np.int64),
        np.array([s.value for s in samples], np.int16),
    )
    return said, late.tolist()


def course(value: int, begin_s: int, end_s: int, *rows: int) -> list[Sample]:
    """One value every second, `end_s` exclusive."""
    return [Sample(T0_MS + at_s * 1000, row, value) for at_s in range(begin_s, end_s) for row in rows]


def said_of(events: Sequence[PatientEvent], patient_id: int) -> list[SustainedEvent]:
    return [each.event for each in events if each.patient_id == patient_id]


def test_each_patient_of_a_shuffled_batch_is_judged_in_order_of_time() -> None:
    samples = stream(1, rows=3)
    in_time: dict[tuple[int, int], Sample] = {(s.row, s.t_ms): s for s in samples}
    ordered = sorted(in_time.values(), key=lambda s: s.t_ms)
    shuffled = random.Random(1).sample(ordered, len(ordered))
    found, late = judge(Partition(RULES, NUMBER), shuffled)
    assert not any(late)
    expected = oracle(ordered, MANY)[0]
    for row in range(3):
        assert said_of(found, row * PARTITION_COUNT + NUMBER) == [e for _, r, e in expected if r == row]
    times = [each.event.at_ms for each in found]
    assert times == sorted(times)


def test_what_is_out_of_order_only_behind_the_first_is_put_in_order_too() -> None:
    samples = [Sample(T0_MS + at_s * 1000, 2, 9600) for at_s in (10, 30, 20)]
    assert judge(Partition(RULES, NUMBER), samples)[1] == [False] * 3


@pytest.mark.parametrize("row", [63, 64, 65, 200])
def test_each_way_in_makes_room_for_the_furthest_row(row: int) -> None:
    """Tables begin with 64 rows."""
    patient_id = NUMBER + row * PARTITION_COUNT
    by_samples, by_phases, asked, anew = (Partition(RULES, NUMBER) for _ in range(4))
    assert judge(by_samples, [Sample(T0_MS, row, 9600), Sample(T0_MS, 0, 9600)])[1] == [False, False]
    judge(asked, [Sample(T0_MS, 0, 9600)])
    assert asked.last_ms(SPO2, np.array([patient_id], np.int32)).tolist() == [NEVER_MS]
    assert asked.phases(SPO2, patient_id) == [IDLE] * 5
    standing = {(SPO2, patient_id, 1): ACTIVE, (SPO2, NUMBER, 0): ACTIVE}
    assert by_phases.set_phases(standing) == set()
    assert by_phases.phases(SPO2, patient_id)[1] is ACTIVE
    anew.replace(SPO2, patient_id, anew.again(SPO2, patient_id))
    assert anew.phases(SPO2, patient_id) == [IDLE] * 5


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_which_sample_came_late_is_said_in_the_order_given(order: tuple[int, ...]) -> None:
    partition = Partition(RULES, NUMBER)
    judge(partition, [Sample(50_000, 2, 9700)])
    samples = [Sample(49_999, 2, 9700), Sample(60_000, 2, 9700), Sample(1000, 3, 9700)]
    assert judge(partition, [samples[i] for i in order])[1] == [i == 0 for i in order]


def test_nothing_to_judge_says_nothing() -> None:
    said, late = judge(Partition(RULES, NUMBER), [])
    assert (said, late) == ([], [])


def test_an_event_says_of_whom_by_which_rule_and_against_which_limit() -> None:
    partition = Partition(RULES, NUMBER)
    own = Limit(breach=8600, clear_at=8700)
    partition.set_limits(OTHER, {"REFER": own}, HELD)
    said, _ = judge(partition, course(8500, 0, 400, 2, 3))
    refers = {e.patient_id: e for e in said if e.rule is REFER and e.event.kind is Kind.RAISE}
    assert {e.place for e in refers.values()} == {(SPO2, ONE, 1), (SPO2, OTHER, 1)}
    assert (refers[ONE].limit, refers[ONE].held) == (REFER.limit, None)
    assert (refers[OTHER].limit, refers[OTHER].held) == (own, HELD)


def test_a_limit_of_ones_own_holds_in_each_channel_that_has_the_rule_and_may_be_taken_back() -> None:
    partition = Partition(RULES, NUMBER)
    own = Limit(breach=9000, clear_at=8900)
    partition.set_limits(ONE, {"OVER": own}, HELD)
    assert {c: partition.tables[c].limits_of(2)[-1] for c in RULES} == {SPO2: own, PULSE: own}
    assert partition.tables[SPO2].limits_of(2)[:4] == tuple(rule.limit for rule in MANY[:4])
    partition.set_limits(ONE, {}, HELD)
    assert partition.tables[SPO2].limits_of(2) == tuple(rule.limit for rule in MANY)
    partition.set_limits(OTHER + 1000 * PARTITION_COUNT, {}, HELD)  # as everybody: needs no row
    assert len(partition.tables[PULSE]) < 1000


def test_a_limit_that_changes_amid_a_quiet_stream_holds_from_the_next_sample_on() -> None:
    partition = Partition(RULES, NUMBER)
    judge(partition, course(9600, 0, 75, 2))
    partition.set_limits(ONE, {"CRIT": Limit(breach=9800, clear_at=9900)}, HELD)
    said, _ = judge(partition, course(9600, 75, 200, 2))
    assert {e.event.rule for e in said} == {"CRIT"}


def test_the_newest_sample_of_each_is_known_and_of_others_that_there_is_none() -> None:
    partition = Partition(RULES, NUMBER)
    judge(partition, [Sample(T0_MS, 2, 9700)])
    ids = np.array([ONE, OTHER, NUMBER + 5000 * PARTITION_COUNT, ONE], np.int32)
    assert partition.last_ms(SPO2, ids).tolist() == [T0_MS, NEVER_MS, NEVER_MS, T0_MS]
    assert partition.last_ms(PULSE, ids[:1]).tolist() == [NEVER_MS]
    assert partition.phases(PULSE, NUMBER + 500 * PARTITION_COUNT) == [IDLE]


def test_when_the_table_grows_everybody_keeps_what_he_has() -> None:
    partition = Partition(RULES, NUMBER)
    own = Limit(breach=8700, clear_at=8800)
    partition.set_limits(OTHER, {"REFER": own}, HELD)
    judge(partition, course(8500, 0, 65, 2, 3))
    held = len(partition.tables[SPO2])
    judge(partition, [Sample(T0_MS + 65_000, held, 9600)])
    assert len(partition.tables[SPO2]) > held
    assert partition.phases(SPO2, ONE) == [PENDING, PENDING, IDLE, PENDING, IDLE]
    assert partition.tables[SPO2].limits_of(3)[1] == own
    said, _ = judge(partition, course(8500, 65, 71, 2, 3))
    raised = {(e.patient_id, e.rule.rule) for e in said if e.event.kind is Kind.RAISE}
    assert raised == {(ONE, "CRIT"), (OTHER, "CRIT")}


def test_what_is_let_stand_stands_beside_what_did() -> None:
    partition = Partition(RULES, NUMBER)
    judge(partition, course(8500, 0, 35, 2))
    assert partition.phases(SPO2, ONE) == [PENDING, IDLE, IDLE, IDLE, IDLE]
    partition.activate([(SPO2, ONE, 2), (PULSE, OTHER, 0)])
    assert partition.phases(SPO2, ONE) == [PENDING, IDLE, ACTIVE, IDLE, IDLE]
    assert (partition.phases(SPO2, OTHER), partition.phases(PULSE, OTHER)) == ([IDLE] * 5, [ACTIVE])


def test_what_is_not_named_is_idle_and_who_lost_an_active_rule_is_told() -> None:
    partition = Partition(RULES, NUMBER)
    partition.activate([(SPO2, ONE, 0), (SPO2, ONE, 1), (PULSE, OTHER, 0)])
    dropped = partition.set_phases({(SPO2, ONE, 1): ACTIVE, (SPO2, OTHER, 0): PENDING})
    assert dropped == {(SPO2, ONE), (PULSE, OTHER)}
    assert partition.phases(SPO2, ONE) == [IDLE, ACTIVE, IDLE, IDLE, IDLE]
    assert partition.phases(SPO2, OTHER) == [PENDING, IDLE, IDLE, IDLE, IDLE]
    assert partition.set_phases({(SPO2, ONE, 1): ACTIVE}) == set()  # who only waited has lost nothing
    assert partition.phases(SPO2, OTHER) == [IDLE] * 5


def test_a_rule_let_stand_amid_a_quiet_stream_is_looked_at_and_clears() -> None:
    partition = Partition(RULES, NUMBER)
    judge(partition, course(9600, 0, 71, 2))
    partition.activate([(SPO2, ONE, 0)])
    said, _ = judge(partition, course(9600, 71, 800, 2))
    assert [(e.rule, e.event.kind, e.event.at_ms) for e in said] == [(CRIT, Kind.CLEAR, T0_MS + (70 + 610) * 1000)]


def test_a_rule_that_stands_already_goes_on_clearing() -> None:
    partition = Partition(RULES, NUMBER)
    partition.activate([(SPO2, ONE, 0)])
    judge(partition, course(9600, 0, 301, 2))
    partition.activate([(SPO2, ONE, 0)])
    said, _ = judge(partition, course(9600, 301, 800, 2))
    (clear,) = said
    assert clear.event.at_ms == T0_MS + 610_000


def test_a_rule_let_stand_counts_no_breach_of_before() -> None:
    partition = Partition(RULES, NUMBER)
    judge(partition, course(8500, 0, 35, 2))
    partition.activate([(SPO2, ONE, 0)])
    partition.set_phases({})
    said, _ = judge(partition, course(8500, 35, 40, 2))
    assert said == []  # the last three buckets do not hold eight of ten low ones any more
    later, _ = judge(partition, course(8500, 40, 60, 2))
    assert [(e.event.kind, e.event.at_ms) for e in later if e.rule is CRIT] == [(Kind.PENDING, T0_MS + 54_000)]


def test_what_is_judged_anew_is_held_to_ones_own_limits_and_takes_the_place() -> None:
    partition = Partition(RULES, NUMBER)
    own = Limit(breach=8400, clear_at=8500)
    partition.set_limits(ONE, {"CRIT": own}, HELD)
    judge(partition, course(9700, 0, 10, 2, 3))
    again = partition.again(SPO2, ONE)
    samples = course(8500, 0, 400, 0)
    events = again.judge(np.array([s.t_ms for s in samples]), np.array([s.value for s in samples]))
    assert {e.rule for e in events if e.kind is Kind.RAISE} == {"REFER"}
    again.hold("AMBER")
    assert again.phases == [IDLE, ACTIVE, ACTIVE, PENDING, IDLE]
    partition.replace(SPO2, ONE, again)
    assert partition.phases(SPO2, ONE) == again.phases
    assert partition.phases(SPO2, OTHER) == [IDLE] * 5
    assert partition.tables[SPO2].limits_of(2)[0] == own
    assert partition.last_ms(SPO2, np.array([ONE], np.int32)).tolist() == [samples[-1].t_ms]
    said, _ = judge(partition, course(8500, 400, 720, 2))
    assert [(e.rule, e.event.kind) for e in said] == [(DROP, Kind.RAISE)]


def test_who_was_judged_anew_with_others_limits_keeps_his_own_from_the_next_sample_on() -> None:
    rules = (CRIT,)
    source, table = Table(rules, 1), Table(rules, 3)
    own = (Limit(breach=9800, clear_at=9900),)
    table.set_limits(2, own)
    table.copy_row(source, 0, 2)
    assert (table.limits_of(2), table.limits_of(1)) == (own, (CRIT.limit,))
    table.copy_row(source, 0, 200)
    assert len(table) > 200


def test_a_partition_put_down_and_taken_up_says_the_same() -> None:
    samples = stream(3, rows=4)
    cuts = [0, len(samples) // 2, len(samples)]
    first, second = Partition(RULES, NUMBER), Partition(RULES, NUMBER)
    own = {"CRIT": Limit(breach=9300, clear_at=9400)}
    second.set_limits(NUMBER, {"REFER": Limit(breach=9000, clear_at=9100)}, HELD)  # other sets, in another order
    for partition in (first, Partition(RULES, NUMBER)):
        partition.set_limits(ONE, own, HELD)
    parts = [samples[a:b] for a, b in pairwise(cuts)]
    whole = Partition(RULES, NUMBER)
    whole.set_limits(ONE, own, HELD)
    expected = [e.event for part in parts for e in judge(whole, part)[0]]
    said = [e.event for e in judge(first, parts[0])[0]]
    second.load(first.dump())
    said += [e.event for e in judge(second, parts[1])[0]]
    assert said == expected
    assert second.tables[SPO2].limits_of(2)[0] == own["CRIT"]
    assert second.tables[SPO2].limits_of(0) == tuple(rule.limit for rule in MANY)


def test_a_snapshot_of_a_partition_runs_no_code() -> None:
    forged = io.BytesIO()
    np.savez(forged, allow_pickle=True, **{"spo2-good": np.array([{}], dtype=object)})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Partition({SPO2: MANY}, NUMBER).load(forged.getvalue())


def test_the_hash_names_rules_and_channels_and_not_their_order_of_reading() -> None:
    there = rules_hash(RULES)
    assert rules_hash(dict(reversed(RULES.items()))) == there
    assert len({there, rules_hash({SPO2: MANY}), rules_hash({SPO2: MANY, PULSE: (CRIT,)})}) == 3
    doubtful = Channel(signal=Signal.SPO2, trust=Trust.QUESTIONABLE)
    assert rules_hash({doubtful: MANY}) != rules_hash({SPO2: MANY})
