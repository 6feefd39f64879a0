"""Glucose Service 0x1808: Glucose Measurement Context (2A34), told as status words: meal, tester, health, exercise.

It belongs to the record of the same sequence number. Amounts (carbohydrates, medication, HbA1c) are checked for
presence, not reported: they are what the patient keyed in, and no signal of ours.
"""

from gateway.gatt.decoded import Decoded, Mode
from gateway.gatt.fields import Fields

CONTEXT_UUID = "2a34"

_CARBOHYDRATE, _MEAL, _TESTER, _EXERCISE, _MEDICATION, _LITRES, _HBA1C, _EXTENDED = (1 << bit for bit in range(8))
_CARBOHYDRATES = {1: "breakfast", 2: "lunch", 3: "dinner", 4: "snack", 5: "drink", 6: "supper", 7: "brunch"}
_MEALS = {1: "before_meal", 2: "after_meal", 3: "fasting", 4: "casual", 5: "bedtime"}
_TESTERS = {1: "self", 2: "professional", 3: "laboratory", 15: "not_available"}
_HEALTH = {1: "minor_issues", 2: "major_issues", 3: "menses", 4: "stress", 5: "no_issues", 15: "not_available"}
_MEDICATIONS = {
    1: "rapid_insulin",
    2: "short_insulin",
    3: "intermediate_insulin",
    4: "long_insulin",
    5: "mixed_insulin",
}


def decode_context(payload: bytes) -> Decoded:
    """Read a context as a payload without measurements."""
    fields = Fields(CONTEXT_UUID, payload)
    flags = fields.unsigned("flags", size_bytes=1)
    words = [f"sequence_{fields.unsigned('sequence number', size_bytes=2)}"]
    if flags & _EXTENDED:
        fields.unsigned("extended flags", size_bytes=1)
    if flags & _CARBOHYDRATE:
        words.append(_word("carbohydrate", _CARBOHYDRATES, fields.unsigned("carbohydrate id", size_bytes=1)))
        fields.sfloat("carbohydrate")
    if flags & _MEAL:
        words.append(_word("meal", _MEALS, fields.unsigned("meal", size_bytes=1)))
    if flags & _TESTER:
        both = fields.unsigned("tester and health", size_bytes=1)
        words += [_word("tester", _TESTERS, both & 0x0F), _word("health", _HEALTH, both >> 4)]
    if flags & _EXERCISE:
        fields.unsigned("exercise duration", size_bytes=2)
        fields.unsigned("exercise intensity", size_bytes=1)
        words.append("exercised")
    if flags & _MEDICATION:
        words.append(_word("medication", _MEDICATIONS, fields.unsigned("medication id", size_bytes=1)))
        fields.sfloat("medication")
    if flags & _HBA1C:
        fields.sfloat("HbA1c")
    fields.end(more_announced=bool(flags & _EXTENDED))
    return Decoded(mode=Mode.SPOT, measurements=(), status=tuple(words))


def _word(name: str, meanings: dict[int, str], code: int) -> str:
    return f"{name}_{meanings.get(code, f'reserved_{code}')}"
