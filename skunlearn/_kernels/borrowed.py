"""Arrays in kernels without reference counts, which cost more than what small nodes compute."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload


def borrowed(arrays: Any) -> Any:
    """View an array, or a named tuple of arrays, that somebody else keeps alive.

    Only for arguments, which whoever calls keeps alive: what a function allocates itself may be
    gone once nothing but such a view is left of it.
    """
    return arrays


@intrinsic
def _without_owners(_: Any, arrays: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0]
        for position, _ in (
            [((), arrays)] if isinstance(arrays, types.Array) else _arrays_in(arrays)
        ):
            for member in (0, 1):  # an array begins with its owner and the object behind it
                nothing = ir.Constant(builder.extract_value(value, (*position, member)).type, None)
                value = builder.insert_value(value, nothing, (*position, member))
        return value

    return arrays(arrays), build


def _arrays_in(members: Any) -> Any:
    for number, member in enumerate(members):
        if isinstance(member, types.Array):
            yield (number,), member


@overload(borrowed)
def _borrowed(arrays):
    return lambda arrays: _without_owners(arrays)
