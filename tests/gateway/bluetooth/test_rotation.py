"""Who gets a link: never more than there are, the best adapter, spot devices first, and everybody's turn comes."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bluetooth.rotation import SPOT_LEAD_S, Decision, Holding, Shares, Wanting, decide

SHARES = Shares(stream_s=60.0, spot_s=5.0)


def wanting(address: str, *, streams: bool = True, since_s: float = 0.0, **heard: int) -> Wanting:
    return Wanting(address=address, streams=streams, since_s=since_s, heard=heard or {"hci0": -60})


def holding(address: str, *, adapter: str = "hci0", streams: bool = True, since_s: float | None = 0.0) -> Holding:
    return Holding(address=address, adapter=adapter, streams=streams, since_s=since_s)


def decided(
    want: Iterable[Wanting], hold: Iterable[Holding] = (), *, now_s: float = 100.0, **links_max: int
) -> Decision:
    return decide(want, hold, links_max=links_max or {"hci0": 1}, shares=SHARES, now_s=now_s)


def test_the_adapter_that_hears_best_carries_the_link() -> None:
    device = wanting("a", hci0=-80, hci1=-50)
    assert decided([device], hci0=1, hci1=1).grants == (("a", "hci1"),)


def test_a_full_adapter_is_passed_over_for_a_free_one_before_anybody_is_asked_to_go() -> None:
    device = wanting("a", hci0=-80, hci1=-50)
    assert decided([device], [holding("b", adapter="hci1")], hci0=1, hci1=1) == Decision(
        grants=(("a", "hci0"),), preempt=()
    )


def test_an_adapter_that_does_not_hear_a_device_does_not_carry_it() -> None:
    assert decided([wanting("a", hci1=-50)], hci0=1) == Decision(grants=(), preempt=())


def test_who_waits_longest_goes_first() -> None:
    assert decided([wanting("a", since_s=9), wanting("b", since_s=8)]).grants == (("b", "hci0"),)


def test_a_spot_device_goes_before_streams_unless_one_waits_far_longer() -> None:
    spot = wanting("spot", streams=False, since_s=90)
    assert decided([wanting("a", since_s=0), spot]).grants == (("spot", "hci0"),)
    assert decided([wanting("a", since_s=90 - SPOT_LEAD_S - 1), spot]).grants == (("a", "hci0"),)


def test_a_stream_keeps_its_share() -> None:
    waiting = [wanting("a")]
    assert decided(waiting, [holding("b", since_s=100 - 59.9)]).preempt == ()
    assert decided(waiting, [holding("b", since_s=100 - 60.0)]).preempt == ("b",)


def test_a_spot_device_waits_for_a_short_share_only() -> None:
    spot = [wanting("a", streams=False)]
    assert decided(spot, [holding("b", since_s=100 - 4.9)]).preempt == ()
    assert decided(spot, [holding("b", since_s=100 - 5.0)]).preempt == ("b",)


def test_a_link_that_has_nothing_more_to_say_is_taken_first_and_at_once() -> None:
    idle = Holding(address="idle", adapter="hci0", streams=False, since_s=99.0, idle=True)
    assert decided([wanting("a")], [holding("b"), idle], hci0=2).preempt == ("idle",)


def test_a_spot_link_at_work_and_a_link_in_the_making_are_left_alone() -> None:
    at_work = holding("b", streams=False)
    in_the_making = holding("c", since_s=None)
    assert decided([wanting("a")], [at_work, in_the_making], hci0=2).preempt == ()


def test_one_that_is_going_already_is_not_asked_twice_and_nobody_else_is_for_its_sake() -> None:
    going = Holding(address="b", adapter="hci0", streams=True, since_s=0.0, leaving=True)
    assert decided([wanting("a")], [going, holding("c")], hci0=2).preempt == ()
    assert decided([wanting("a"), wanting("d")], [going, holding("c")], hci0=2).preempt == ("c",)


@settings(max_examples=40, deadline=None)
@given(
    streams=st.integers(1, 12),
    spots=st.integers(0, 6),
    links=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    reach=st.data(),
)
def test_nobody_starves_and_there_are_never_more_links_than_slots(
    streams: int, spots: int, links: list[int], reach: st.DataObject
) -> None:
    """A home of streams that never tire and spot devices that wake again and again, second by second."""
    links_max = {f"hci{number}": most for number, most in enumerate(links)}
    names = [f"s{n}" for n in range(streams)] + [f"t{n}" for n in range(spots)]
    heard = {
        name: reach.draw(st.dictionaries(st.sampled_from(sorted(links_max)), st.integers(-90, -40), min_size=1))
        for name in names
    }
    waiting = dict.fromkeys(names, 0.0)
    held: dict[str, Holding] = {}
    longest_s = dict.fromkeys(names, 0.0)
    end_s = 40 * 60
    for now_s in range(end_s):
        decision = decide(
            [Wanting(address=n, streams=n[0] == "s", since_s=s, heard=heard[n]) for n, s in waiting.items()],
            held.values(),
            links_max=links_max,
            shares=SHARES,
            now_s=float(now_s),
        )
        for name, adapter in decision.grants:
            longest_s[name] = max(longest_s[name], now_s - waiting.pop(name))
            held[name] = Holding(address=name, adapter=adapter, streams=name[0] == "s", since_s=float(now_s))
            assert sum(h.adapter == adapter for h in held.values()) <= links_max[adapter]
        for name in decision.preempt:
            del held[name]
            waiting[name] = now_s + 1.0
        for name in [n for n, h in held.items() if not h.streams and now_s - (h.since_s or 0) >= 8]:
            del held[name]
            waiting[name] = now_s + 1.0  # it wakes again at once: the worst neighbour there can be
    for name, since_s in waiting.items():
        longest_s[name] = max(longest_s[name], end_s - since_s)
    everybody_before_me = len(names) * (SHARES.stream_s + 10) + SPOT_LEAD_S
    assert all(waited_s <= everybody_before_me for waited_s in longest_s.values()), longest_s
