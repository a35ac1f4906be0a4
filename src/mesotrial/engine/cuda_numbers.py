# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-any-return, no-untyped-call"
# (Device functions have no types: Numba finds them.)
"""What `vectors` has, for one patient a thread: device functions of a GPU. Imported only while its kernel is built."""

import math

from numba import cuda

# ruff: noqa: ANN001, ANN201, D103 (the names and what they do are those of `vectors`)


@cuda.jit(device=True)
def load(work, place):
    return work[place]


@cuda.jit(device=True)
def store(work, place, value):
    work[place] = value


@cuda.jit(device=True)
def where(condition, yes, no):
    return yes if condition else no


@cuda.jit(device=True)
def opposite(condition):
    return not condition


@cuda.jit(device=True)
def least(x, y):
    return y if y < x else x


@cuda.jit(device=True)
def most(x, y):
    return y if y > x else x


@cuda.jit(device=True)
def magnitude(x):
    return abs(x)


@cuda.jit(device=True)
def power(x, y):
    return x**y


@cuda.jit(device=True)
def real_power(x, y):
    return x**y


@cuda.jit(device=True)
def whole_power(x, n):
    return x**n


def _function(name: str):
    function = getattr(math, name)

    @cuda.jit(device=True)
    def apply(x):
        return function(x)

    return apply


exp, log, sqrt, floor, ceil = (_function(name) for name in ("exp", "log", "sqrt", "floor", "ceil"))
sin, cos, tan, asin, acos, atan = (_function(name) for name in ("sin", "cos", "tan", "asin", "acos", "atan"))
sinh, cosh, tanh, asinh, acosh, atanh = (
    _function(name) for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
)
gamma = _function("gamma")
