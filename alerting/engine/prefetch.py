"""Asks the processor for memory that compiled code will need soon, and waits for nothing."""

# mypy: disable-error-code="no-untyped-def,no-any-return"

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_TO_WRITE, _KEEP, _DATA = 1, 3, 1
"""LLVM's `llvm.prefetch`: it will be written, stays in all caches, and is no code (Language Reference, Intrinsics)."""


def _ask(_, array, index):
    """Ask for the cache line of an element of a flat array, by its unsigned index; any index will do."""

    def asked(context, builder, signature, given):
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        place = builder.bitcast(builder.gep(data, [given[1]]), byte)
        builder.call(prefetch, [place, number(_TO_WRITE), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, index), asked


fetch: Any = intrinsic(_ask)
