"""Ask for memory before it is needed: the processor's prefetch instruction, for kernels that jump between levels."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def prefetch(typing_context, array, index):
    """Start to load `array[index]` (1-D, contiguous) for reading and writing; any index is allowed, nothing is read."""
    if not isinstance(array, types.Array) or array.ndim != 1:
        return None

    def generate(context, builder, signature, arguments):
        laid_out = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.gep(laid_out.data, [arguments[1]])
        pointer = builder.bitcast(address, cgutils.voidptr_t)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [pointer, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
