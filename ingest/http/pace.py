"""How many requests a token may make: a steady rate and a burst, each token for itself."""

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Pace:
    """A bucket for each token. Only tokens that exist are counted, so their number bounds the memory."""

    per_s: float
    burst: int
    _buckets: dict[int, tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, token_id: int, now_s: float) -> float:
        """Spend one request of a token's, or say for how long it has none; `now_s` never goes back."""
        left, since = self._buckets.get(token_id, (float(self.burst), now_s))
        left = min(float(self.burst), left + (now_s - since) * self.per_s)
        is_spent = left >= 1
        self._buckets[token_id] = (left - is_spent, now_s)
        return 0.0 if is_spent else (1 - left) / self.per_s
