"""Keeps a thin line free for the present: how much backlog may be on its way to the broker.

A live message waits behind what is on the line already. So at most two messages of backlog are unanswered by the broker
at one time, and they are made so small that each is answered within half a second.
"""

UNANSWERED_MAX = 2
ANSWER_S_MAX = 0.5
ROWS_MIN = 50


class Throttle:
    """How many rows a message of backlog may hold now, learnt from how long the broker's answers take."""

    def __init__(self, *, rows_max: int) -> None:
        self.rows = rows_max
        self.unanswered = 0
        self._rows_max = rows_max

    @property
    def is_open(self) -> bool:
        """Whether another message may be sent."""
        return self.unanswered < UNANSWERED_MAX

    def sent(self) -> None:
        """Note that a message was sent."""
        self.unanswered += 1

    def answered(self, after_s: float) -> None:
        """Note the broker's answer: halve what took too long, grow by half what took less than half as long."""
        self.unanswered = max(0, self.unanswered - 1)
        if after_s > ANSWER_S_MAX:
            self.rows = max(min(ROWS_MIN, self._rows_max), self.rows // 2)
        elif after_s < ANSWER_S_MAX / 2:
            self.rows = min(self._rows_max, self.rows * 3 // 2)

    def restart(self) -> None:
        """Forget what was on its way: the connection is new."""
        self.unanswered = 0
