"""SBML's formulas (libsbml AST nodes) as sympy expressions."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import libsbml
import sympy
from sympy import Expr
from sympy.logic.boolalg import Boolean

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import TIME, number, symbol

_FUNCTIONS: dict[int, Callable[..., Any]] = {
    libsbml.AST_PLUS: lambda *a: sympy.Add(*a),
    libsbml.AST_TIMES: lambda *a: sympy.Mul(*a),
    libsbml.AST_DIVIDE: lambda a, b: a / b,
    libsbml.AST_POWER: lambda a, b: a**b,
    libsbml.AST_FUNCTION_POWER: lambda a, b: a**b,
    libsbml.AST_FUNCTION_ABS: sympy.Abs,
    libsbml.AST_FUNCTION_EXP: sympy.exp,
    libsbml.AST_FUNCTION_LN: sympy.log,
    libsbml.AST_FUNCTION_FLOOR: sympy.floor,
    libsbml.AST_FUNCTION_CEILING: sympy.ceiling,
    libsbml.AST_FUNCTION_SIN: sympy.sin,
    libsbml.AST_FUNCTION_COS: sympy.cos,
    libsbml.AST_FUNCTION_TAN: sympy.tan,
    libsbml.AST_FUNCTION_ARCTAN: sympy.atan,
    libsbml.AST_FUNCTION_SINH: sympy.sinh,
    libsbml.AST_FUNCTION_COSH: sympy.cosh,
    libsbml.AST_FUNCTION_TANH: sympy.tanh,
    libsbml.AST_FUNCTION_MIN: sympy.Min,
    libsbml.AST_FUNCTION_MAX: sympy.Max,
}
_RELATIONS: dict[int, Callable[[Expr, Expr], Any]] = {
    libsbml.AST_RELATIONAL_LT: sympy.Lt,
    libsbml.AST_RELATIONAL_LEQ: sympy.Le,
    libsbml.AST_RELATIONAL_GT: sympy.Gt,
    libsbml.AST_RELATIONAL_GEQ: sympy.Ge,
    libsbml.AST_RELATIONAL_EQ: sympy.Eq,
    libsbml.AST_RELATIONAL_NEQ: sympy.Ne,
}
_LOGIC: dict[int, Callable[..., Any]] = {
    libsbml.AST_LOGICAL_AND: sympy.And,
    libsbml.AST_LOGICAL_OR: sympy.Or,
    libsbml.AST_LOGICAL_NOT: sympy.Not,
    libsbml.AST_LOGICAL_XOR: lambda *a: reduce(lambda x, y: (x & ~y) | (~x & y), a),
}
_CONSTANTS: dict[int, Any] = {
    libsbml.AST_NAME_TIME: TIME,
    libsbml.AST_NAME_AVOGADRO: sympy.Float(6.02214076e23),
    libsbml.AST_CONSTANT_E: sympy.E,
    libsbml.AST_CONSTANT_PI: sympy.pi,
    libsbml.AST_CONSTANT_TRUE: sympy.true,
    libsbml.AST_CONSTANT_FALSE: sympy.false,
}
_NUMBERS = (libsbml.AST_INTEGER, libsbml.AST_REAL, libsbml.AST_REAL_E, libsbml.AST_RATIONAL)


def to_expression(node: Any, where: str) -> Expr:
    """Return the value of a libsbml formula; a truth value counts as 1 or 0.

    Raises:
        ModelError: the formula is missing, or uses something the engine refuses; names it and `where`.
    """
    if node is None:
        raise ModelError(f"{where} has no formula")
    return _as_number(_convert(node, where))


def _convert(node: Any, where: str) -> Any:
    kind = node.getType()
    if kind in _NUMBERS:
        return number(node.getValue())
    if kind == libsbml.AST_NAME:
        return symbol(node.getName())
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    arguments = [_convert(node.getChild(i), where) for i in range(node.getNumChildren())]
    if kind == libsbml.AST_FUNCTION_PIECEWISE:
        return _piecewise(arguments)
    if kind in _LOGIC:
        return _LOGIC[kind](*(_as_condition(a) for a in arguments))
    arguments = [_as_number(a) for a in arguments]
    if kind == libsbml.AST_MINUS:
        return -arguments[0] if len(arguments) == 1 else arguments[0] - arguments[1]
    if kind == libsbml.AST_FUNCTION_LOG:
        return sympy.log(arguments[1]) / sympy.log(arguments[0])
    if kind == libsbml.AST_FUNCTION_ROOT:
        return sympy.Pow(arguments[1], 1 / arguments[0])
    if kind in _RELATIONS:
        pairs = zip(arguments, arguments[1:], strict=False)
        return reduce(sympy.And, (_RELATIONS[kind](a, b) for a, b in pairs))
    if kind in _FUNCTIONS:
        return _FUNCTIONS[kind](*arguments)
    raise ModelError(f"{where} uses {_refused(node)}, which the engine does not support")


def _piecewise(arguments: list[Any]) -> Expr:
    pairs = [(_as_number(arguments[i]), _as_condition(arguments[i + 1])) for i in range(0, len(arguments) - 1, 2)]
    otherwise = _as_number(arguments[-1]) if len(arguments) % 2 else sympy.nan
    return sympy.Piecewise(*pairs, (otherwise, True))


def _as_number(value: Any) -> Any:
    if isinstance(value, Boolean) and not isinstance(value, Expr):
        return sympy.Piecewise((1, value), (0, True))
    return value


def _as_condition(value: Any) -> Any:
    if isinstance(value, Boolean) and not isinstance(value, Expr):
        return value
    return sympy.Ne(value, 0)


def _refused(node: Any) -> str:
    if node.getType() == libsbml.AST_FUNCTION_DELAY:
        return "a delay"
    return f"{node.getName() or libsbml.formulaToL3String(node)}()"
