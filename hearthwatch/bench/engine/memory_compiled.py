"""Changes random records, in the two ways a compiled loop can: each on its own, and a block read first."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"

import numba

TOUCH = 128
"""Records read together, so that the processor fetches many of them at once."""


@numba.njit(cache=True)
def one_by_one(table, order):
    """Add one to the first word of each record, in this order."""
    for i in range(len(order)):
        table[order[i], 0] += 1
    return 0


@numba.njit(cache=True)
def touched_first(table, order):
    """Add one to the first word of each record, in this order, having read a block of them."""
    touched = 0
    for block in range(0, len(order), TOUCH):
        end = min(block + TOUCH, len(order))
        for i in range(block, end):
            touched += table[order[i], 0]
        for i in range(block, end):
            table[order[i], 0] += 1
    return touched
