# mypy: disable-error-code="no-untyped-call, untyped-decorator, attr-defined"
# (Numba's interface for extensions has no types.)
"""Patients side by side: a Numba type that holds one number of each of several patients, and its arithmetic.

Every operation is written as one LLVM vector instruction, so that each lane goes through the same instructions whatever
its place: a trajectory cannot depend on its neighbours. LLVM's optimiser would not reliably find that form by itself.
Which products and sums become one instruction with one rounding is decided here and not by LLVM, so that a processor
without such an instruction, or with shorter vectors, computes the same bits (the former slowly). exp and log are range
reduction and a polynomial (Chebyshev, computed with 60 digits; error below 2 units in the last place), since Numba brings
no vector library.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typeconv import Conversion
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model
from numba.np.arrayobj import make_array

from mesotrial.engine.backend import LANES

_DOUBLE, _INTEGER = ir.DoubleType(), ir.IntType(64)
_VECTOR, _WHOLE = ir.VectorType(_DOUBLE, LANES), ir.VectorType(_INTEGER, LANES)
_TRUTH = ir.VectorType(ir.IntType(1), LANES)
_MAGIC = 1.5 * 2.0**52  # a number added to it is rounded to whole, and its bits hold that integer
_EXP = (
    *(0.5, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717),
    *(0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07),
    2.510038549551032e-08,
)
_LOG = (
    *(0.666666666666667, 0.39999999999899444, 0.2857142862600327, 0.22222211130259878, 0.18182889455674947),
    *(0.15331710618210773, 0.14616585424888623),
)
_LN2_HIGH, _LN2_LOW = 0.693147180559663, 2.8235290563031577e-13
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD


class Lanes(types.Type):
    """One double of each patient of a group."""

    def __init__(self) -> None:
        """Name the type."""
        super().__init__(name=f"lanes{LANES}")

    def can_convert_from(self, typingctx: Any, other: Any) -> Any:
        """Take a plain number for the same number in each lane."""
        return Conversion.promote if isinstance(other, types.Number) else None


class Mask(types.Type):
    """One truth value of each patient of a group."""

    def __init__(self) -> None:
        """Name the type."""
        super().__init__(name=f"mask{LANES}")


lanes, mask = Lanes(), Mask()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _TRUTH)


def _all(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


def _whole(value: int) -> ir.Constant:
    return ir.Constant(_WHOLE, [value] * LANES)


@lower_cast(types.Number, Lanes)
def _spread(context: Any, builder: Any, kind: Any, to: Any, value: Any) -> Any:
    value = context.cast(builder, value, kind, types.float64)
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, everywhere)


def _operator(function: Any, result: Any, emit: Callable[..., Any], kind: Any = lanes, arity: int = 2) -> None:
    @infer_global(function)
    class _Template(ConcreteTemplate):
        cases = [signature(result, *(kind,) * arity)]

    @lower_builtin(function, *(type(kind),) * arity)
    def _lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return emit(builder, *arguments)


def _is_product(value: Any) -> bool:
    return isinstance(value, ir.Instruction) and value.opname == "fmul"


def _fma(b: Any, x: Any, y: Any, z: Any) -> Any:
    """x * y + z with one rounding."""
    function = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{LANES}f64"
    )
    return b.call(function, [x, y, z])


def _add(b: Any, x: Any, y: Any) -> Any:
    if _is_product(y):
        return _fma(b, y.operands[0], y.operands[1], x)
    return _fma(b, x.operands[0], x.operands[1], y) if _is_product(x) else b.fadd(x, y)


def _sub(b: Any, x: Any, y: Any) -> Any:
    if _is_product(y):
        return _fma(b, b.fneg(y.operands[0]), y.operands[1], x)
    return _fma(b, x.operands[0], x.operands[1], b.fneg(y)) if _is_product(x) else b.fsub(x, y)


_operator(operator.add, lanes, _add)
_operator(operator.sub, lanes, _sub)
_operator(operator.mul, lanes, lambda b, x, y: b.fmul(x, y))
_operator(operator.truediv, lanes, lambda b, x, y: b.fdiv(x, y))
_operator(operator.neg, lanes, lambda b, x: b.fneg(x), arity=1)
for _function, _sign in ((operator.lt, "<"), (operator.le, "<="), (operator.gt, ">"), (operator.ge, ">=")):
    _operator(_function, mask, lambda b, x, y, sign=_sign: b.fcmp_ordered(sign, x, y))
_operator(operator.eq, mask, lambda b, x, y: b.fcmp_ordered("==", x, y))
_operator(operator.ne, mask, lambda b, x, y: b.fcmp_unordered("!=", x, y))
_operator(operator.and_, mask, lambda b, x, y: b.and_(x, y), mask)
_operator(operator.or_, mask, lambda b, x, y: b.or_(x, y), mask)


def _address(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> Any:
    data = make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place], inbounds=True), _VECTOR.as_pointer())


@intrinsic
def load(typing: Any, work: Any, place: Any) -> Any:
    """Return the lanes that begin at index `place` of a flat array."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, sig.args[0], *args), align=8)

    return lanes(work, types.int64), emit


@intrinsic
def store(typing: Any, work: Any, place: Any, value: Any) -> Any:
    """Write `value` from index `place` of a flat array on."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, sig.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(work, types.int64, lanes), emit


@intrinsic
def where(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Return `yes` in the lanes where `condition` holds, `no` in the others."""
    return lanes(mask, lanes, lanes), lambda context, builder, sig, args: builder.select(*args)


@intrinsic
def opposite(typing: Any, condition: Any) -> Any:
    """Return where `condition` does not hold."""
    return mask(mask), lambda context, builder, sig, args: builder.not_(args[0])


@intrinsic
def least(typing: Any, x: Any, y: Any) -> Any:
    """Return the lesser."""
    return lanes(lanes, lanes), lambda context, builder, sig, args: _least(builder, args[0], args[1], "<")


@intrinsic
def most(typing: Any, x: Any, y: Any) -> Any:
    """Return the greater."""
    return lanes(lanes, lanes), lambda context, builder, sig, args: _least(builder, args[0], args[1], ">")


def _least(b: Any, x: Any, y: Any, sign: str) -> Any:
    return b.select(b.fcmp_ordered(sign, y, x), y, x)


@intrinsic
def exp(typing: Any, x: Any) -> Any:
    """Return e to the power of `x`; 0 where that is below 2.4e-308."""
    return lanes(lanes), lambda context, builder, sig, args: _exp(builder, args[0])


@intrinsic
def log(typing: Any, x: Any) -> Any:
    """Return the natural logarithm; that of 0 to 2.3e-308 is minus infinity, of less than 0 undefined."""
    return lanes(lanes), lambda context, builder, sig, args: _log(builder, args[0])


@intrinsic(prefer_literal=True)
def whole_power(typing: Any, x: Any, n: Any) -> Any:
    """Return `x` to the power of the literal `n` >= 1, by products."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        power, square, left = None, args[0], n.literal_value
        while left:
            if left & 1:
                power = square if power is None else builder.fmul(power, square)
            left >>= 1
            square = builder.fmul(square, square) if left else square
        return power

    return lanes(lanes, n), emit


@intrinsic
def real_power(typing: Any, x: Any, y: Any) -> Any:
    """Return `x` to the power of `y`, which is no whole number; undefined where `x` < 0."""
    return lanes(lanes, lanes), lambda context, b, sig, args: _exp(b, b.fmul(args[1], _log(b, args[0])))


@intrinsic
def power(typing: Any, x: Any, y: Any) -> Any:
    """Return `x` to the power of `y`, whatever they are."""

    def emit(context: Any, b: Any, sig: Any, args: Any) -> Any:
        x, y = args
        size = _exp(b, b.fmul(y, _log(b, _call(b, "llvm.fabs", x))))
        half = b.fmul(y, _all(0.5))
        odd = b.fcmp_unordered("!=", _call(b, "llvm.floor", half), half)
        signed = b.select(odd, b.fneg(size), size)
        signed = b.select(b.fcmp_ordered("==", _call(b, "llvm.floor", y), y), signed, _all(math.nan))
        result = b.select(b.fcmp_ordered("<", x, _all(0.0)), signed, size)
        return b.select(b.fcmp_ordered("==", y, _all(0.0)), _all(1.0), result)

    return lanes(lanes, lanes), emit


def _polynomial(b: Any, x: Any, coefficients: tuple[float, ...]) -> Any:
    total = _all(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = _fma(b, total, x, _all(c))
    return total


def _exp(b: Any, x: Any) -> Any:
    shifted = b.fadd(b.fmul(x, _all(1 / math.log(2))), _all(_MAGIC))
    n = b.fsub(shifted, _all(_MAGIC))
    rest = _fma(b, n, _all(-_LN2_HIGH), x)
    rest = _fma(b, n, _all(-_LN2_LOW), rest)
    value = b.fadd(_fma(b, b.fmul(rest, rest), _polynomial(b, rest, _EXP), rest), _all(1.0))
    # 2 to the power of n - 1, and once more 2: n may be 1024.
    scale = b.shl(b.add(b.bitcast(shifted, _WHOLE), _whole(1022)), _whole(52))
    value = b.fmul(b.fmul(value, b.bitcast(scale, _VECTOR)), _all(2.0))
    value = b.select(b.fcmp_ordered("<", x, _all(-708.3)), _all(0.0), value)
    return b.select(b.fcmp_ordered(">", x, _all(709.78)), _all(math.inf), value)


def _log(b: Any, x: Any) -> Any:
    bits = b.bitcast(x, _WHOLE)
    n = b.ashr(b.sub(bits, _whole(_ROOT_HALF_BITS)), _whole(52))
    f = b.fsub(b.bitcast(b.sub(bits, b.shl(n, _whole(52))), _VECTOR), _all(1.0))
    number = b.fsub(b.bitcast(b.add(n, b.bitcast(_all(_MAGIC), _WHOLE)), _VECTOR), _all(_MAGIC))
    # log(1 + f) = f - f^2/2 + s (f^2/2 + s^2 P(s^2)), s = f / (2 + f): small corrections to an exact f.
    s = b.fdiv(f, b.fadd(f, _all(2.0)))
    z = b.fmul(s, s)
    bow = b.fmul(b.fmul(f, f), _all(0.5))
    rest = _fma(b, s, _fma(b, z, _polynomial(b, z, _LOG), bow), b.fmul(number, _all(_LN2_LOW)))
    value = _fma(b, number, _all(_LN2_HIGH), b.fsub(f, b.fsub(bow, rest)))
    value = b.select(b.fcmp_ordered("<", x, _all(2.3e-308)), _all(-math.inf), value)
    value = b.select(b.fcmp_ordered("<", x, _all(math.inf)), value, x)
    return b.select(b.fcmp_ordered("<", x, _all(0.0)), _all(math.nan), value)


def _call(b: Any, name: str, x: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR])
    return b.call(cgutils.get_or_insert_function(b.module, kind, f"{name}.v{LANES}f64"), [x])


def _lane_by_lane(b: Any, name: str, x: Any) -> Any:
    function = cgutils.get_or_insert_function(b.module, ir.FunctionType(_DOUBLE, [_DOUBLE]), name)
    result = ir.Constant(_VECTOR, ir.Undefined)
    for i in range(LANES):
        place = ir.Constant(ir.IntType(32), i)
        result = b.insert_element(result, b.call(function, [b.extract_element(x, place)]), place)
    return result


def _make(name: str, emit: Callable[[Any, str, Any], Any], target: str) -> Any:
    def typer(typing: Any, x: Any) -> Any:
        return lanes(lanes), lambda context, builder, sig, args: emit(builder, target, args[0])

    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


sqrt, magnitude = _make("sqrt", _call, "llvm.sqrt"), _make("magnitude", _call, "llvm.fabs")
floor, ceil = _make("floor", _call, "llvm.floor"), _make("ceil", _call, "llvm.ceil")
sin, cos, tan = (_make(name, _lane_by_lane, name) for name in ("sin", "cos", "tan"))
sinh, cosh, tanh = (_make(name, _lane_by_lane, name) for name in ("sinh", "cosh", "tanh"))
asin, acos, atan = (_make(name, _lane_by_lane, name) for name in ("asin", "acos", "atan"))
asinh, acosh, atanh = (_make(name, _lane_by_lane, name) for name in ("asinh", "acosh", "atanh"))
gamma = _make("gamma", _lane_by_lane, "tgamma")
