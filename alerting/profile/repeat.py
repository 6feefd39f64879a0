"""Reads the rules on single measurements: a limit, and what confirms that it is broken."""

from typing import Any

from alerting.profile.consequences import CONSEQUENCE_KEYS
from alerting.profile.limits import LIMIT_KEYS, standard_limit
from alerting.profile.profile import Confirm, LimitRow, RepeatRule, Trust
from alerting.profile.tables import ProfileError, choice, count, get, millis, only

_TIMES = frozenset({"repeat_from_s", "repeat_until_s"})
_KEYS = _TIMES | LIMIT_KEYS | CONSEQUENCE_KEYS | {"clear_repeats", "confirm", "trust", "after_activity"}


def repeat_rule(table: dict[str, Any], row: LimitRow) -> RepeatRule:
    """Read one rule on single measurements."""
    where = f"repeat.{row.rule}"
    only(where, table, _KEYS)
    confirm = choice(table, where, "confirm", Confirm) if "confirm" in table else Confirm.REPEAT
    start, end = _repeat_within(where, table, confirm)
    limit = standard_limit(row)
    return RepeatRule(
        rule=row.rule,
        signal=row.signal,
        low=row.low,
        limit=limit.breach,
        repeat_from_ms=start,
        repeat_until_ms=end,
        clear_at=limit.clear_at,
        clear_repeats=count(table, where, "clear_repeats", 100),
        confirm=confirm,
        trust=choice(table, where, "trust", Trust) if "trust" in table else Trust.GOOD,
        after_activity=get(table, where, "after_activity", bool) if "after_activity" in table else False,
    )


def _repeat_within(where: str, table: dict[str, Any], confirm: Confirm) -> tuple[int, int]:
    if confirm is Confirm.AT_ONCE:
        if stray := table.keys() & _TIMES:
            raise ProfileError(f"{where}: confirm = {confirm.value!r} waits for no repeat; has {', '.join(stray)}")
        return 0, 0
    start, end = millis(table, where, "repeat_from_s"), millis(table, where, "repeat_until_s")
    if start >= end:
        raise ProfileError(f"{where}: repeat_from_s = {start // 1000} is not before repeat_until_s = {end // 1000}")
    return start, end
