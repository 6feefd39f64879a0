"""What comes again and again is said first, then rarely, with how often it came."""

from gateway.rarely import AGAIN_S, Rarely


def test_the_first_is_said_and_after_an_hour_how_many_came_since() -> None:
    rarely = Rarely()
    said = [rarely.heard("a", now_s) for now_s in (0.0, 1.0, AGAIN_S - 0.1, AGAIN_S, AGAIN_S + 1)]
    assert said == [1, 0, 0, 3, 0]


def test_each_thing_is_said_for_itself() -> None:
    rarely = Rarely()
    assert [rarely.heard(what, 0.0) for what in ("a", "b", "a", "b")] == [1, 1, 0, 0]


def test_it_is_bounded_and_what_was_said_longest_ago_is_forgotten() -> None:
    rarely = Rarely(kept_max=2)
    assert [rarely.heard(what, 0.0) for what in ("a", "b", "c", "b", "a")] == [1, 1, 1, 0, 1]
