"""What comes again and again, and when the log is to say so: at first, and then rarely, with how often it came."""

from dataclasses import dataclass

AGAIN_S = 3600.0
KEPT_MAX = 256


@dataclass(slots=True, kw_only=True)
class _Told:
    said_s: float
    unsaid: int = 0


class Rarely:
    """Bounded: of more than `kept_max` different things the one first said is forgotten, and would be said again."""

    def __init__(self, *, again_s: float = AGAIN_S, kept_max: int = KEPT_MAX) -> None:
        """Say the same again after so many machine seconds."""
        self._again_s = again_s
        self._kept_max = kept_max
        self._told: dict[str, _Told] = {}

    def heard(self, what: str, now_s: float) -> int:
        """Take in one more; give how many came since the last was said, or 0 where it is not to be said."""
        told = self._told.get(what)
        if told is not None and now_s - told.said_s < self._again_s:
            told.unsaid += 1
            return 0
        self._told.pop(what, None)
        self._told[what] = _Told(said_s=now_s)
        if len(self._told) > self._kept_max:
            del self._told[next(iter(self._told))]
        return 1 + (told.unsaid if told else 0)
