"""SBML's formulas (libsbml AST nodes) as sympy expressions."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import libsbml
import sympy
from sympy import Expr
from sympy.logic.boolalg import Boolean

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import TIME, Delay, number, symbol


def _whole_ratio(a: Expr, b: Expr) -> Expr:
    """Return a/b rounded towards zero."""
    return sympy.Piecewise((sympy.floor(a / b), a / b >= 0), (sympy.ceiling(a / b), True))


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
    libsbml.AST_FUNCTION_SEC: lambda x: 1 / sympy.cos(x),
    libsbml.AST_FUNCTION_CSC: lambda x: 1 / sympy.sin(x),
    libsbml.AST_FUNCTION_COT: lambda x: 1 / sympy.tan(x),
    libsbml.AST_FUNCTION_ARCSIN: sympy.asin,
    libsbml.AST_FUNCTION_ARCCOS: sympy.acos,
    libsbml.AST_FUNCTION_ARCTAN: sympy.atan,
    libsbml.AST_FUNCTION_ARCSEC: lambda x: sympy.acos(1 / x),
    libsbml.AST_FUNCTION_ARCCSC: lambda x: sympy.asin(1 / x),
    libsbml.AST_FUNCTION_ARCCOT: lambda x: sympy.atan(1 / x),
    libsbml.AST_FUNCTION_SINH: sympy.sinh,
    libsbml.AST_FUNCTION_COSH: sympy.cosh,
    libsbml.AST_FUNCTION_TANH: sympy.tanh,
    libsbml.AST_FUNCTION_SECH: lambda x: 1 / sympy.cosh(x),
    libsbml.AST_FUNCTION_CSCH: lambda x: 1 / sympy.sinh(x),
    libsbml.AST_FUNCTION_COTH: lambda x: 1 / sympy.tanh(x),
    libsbml.AST_FUNCTION_ARCSINH: sympy.asinh,
    libsbml.AST_FUNCTION_ARCCOSH: sympy.acosh,
    libsbml.AST_FUNCTION_ARCTANH: sympy.atanh,
    libsbml.AST_FUNCTION_ARCSECH: lambda x: sympy.acosh(1 / x),
    libsbml.AST_FUNCTION_ARCCSCH: lambda x: sympy.asinh(1 / x),
    libsbml.AST_FUNCTION_ARCCOTH: lambda x: sympy.atanh(1 / x),
    libsbml.AST_FUNCTION_FACTORIAL: lambda x: sympy.gamma(x + 1),
    libsbml.AST_FUNCTION_MIN: sympy.Min,
    libsbml.AST_FUNCTION_MAX: sympy.Max,
    libsbml.AST_FUNCTION_QUOTIENT: _whole_ratio,
    libsbml.AST_FUNCTION_REM: lambda a, b: a - b * _whole_ratio(a, b),
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
    libsbml.AST_LOGICAL_XOR: lambda *a: reduce(lambda x, y: (x & ~y) | (~x & y), a, sympy.false),
    libsbml.AST_LOGICAL_IMPLIES: lambda a, b: sympy.Or(sympy.Not(a), b),
}
_CONSTANTS: dict[int, Any] = {
    libsbml.AST_NAME_TIME: TIME,
    libsbml.AST_NAME_AVOGADRO: sympy.Float(6.02214179e23),  # what SBML defines, though CODATA has moved on
    libsbml.AST_CONSTANT_E: sympy.E,
    libsbml.AST_CONSTANT_PI: sympy.pi,
    libsbml.AST_CONSTANT_TRUE: sympy.true,
    libsbml.AST_CONSTANT_FALSE: sympy.false,
}
_NUMBERS = (libsbml.AST_INTEGER, libsbml.AST_REAL, libsbml.AST_REAL_E, libsbml.AST_RATIONAL)


class Formulas:
    """Converts formulas, and collects what they refer to that is no symbol of the model: rates and delayed values."""

    def __init__(self) -> None:
        """Begin with nothing collected."""
        self.delays: dict[str, Delay] = {}
        """by the name that stands for the delayed value"""
        self.rates_of: dict[str, str] = {}
        """by the name that stands for the rate of change: the symbol that changes"""

    def expression(self, node: Any, where: str) -> Expr:
        """Return the value of a libsbml formula; a truth value counts as 1 or 0.

        Raises:
            ModelError: the formula is missing, or uses something the engine refuses; names it and `where`.
        """
        return _as_number(self._root(node, where))

    def condition(self, node: Any, where: str) -> Any:
        """Return the truth of a libsbml formula; a number is true unless it is 0. Errors as in `expression`."""
        return _as_condition(self._root(node, where))

    def _root(self, node: Any, where: str) -> Any:
        if node is None:
            raise ModelError(f"{where} has no formula")
        try:
            return self._convert(node, where)
        except RecursionError:
            raise ModelError(f"{where} is nested too deeply") from None

    def _convert(self, node: Any, where: str) -> Any:
        kind = node.getType()
        if kind in _NUMBERS:
            return number(node.getValue())
        if kind == libsbml.AST_NAME:
            return symbol(node.getName())
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind == libsbml.AST_FUNCTION_RATE_OF:
            return self._rate_of(node, where)
        arguments = [self._convert(child, where) for child in _operands(node)]
        try:
            if kind == libsbml.AST_FUNCTION_PIECEWISE:
                return _piecewise(arguments)
            if kind in _LOGIC:
                return _LOGIC[kind](*(_as_condition(a) for a in arguments))
            arguments = [_as_number(a) for a in arguments]
            return self._delay(*arguments) if kind == libsbml.AST_FUNCTION_DELAY else _apply(kind, arguments)
        except KeyError:
            raise ModelError(f"{where} uses {_refused(node)}, which the engine does not support") from None
        except (TypeError, ValueError, IndexError) as error:
            raise ModelError(f"{where} has a formula without a meaning: {libsbml.formulaToL3String(node)}") from error

    def _rate_of(self, node: Any, where: str) -> Expr:
        if node.getNumChildren() != 1 or node.getChild(0).getType() != libsbml.AST_NAME:
            raise ModelError(f"{where} uses the rate of something that is no symbol")
        name = node.getChild(0).getName()
        self.rates_of[f"{name}.rate"] = name
        return symbol(f"{name}.rate")

    def _delay(self, expression: Expr, time: Expr) -> Expr:
        if time.is_zero:
            return expression
        for name, known in self.delays.items():
            if known == Delay(expression, time):
                return symbol(name)
        name = f"delay.{len(self.delays)}"
        self.delays[name] = Delay(expression, time)
        return symbol(name)


def _operands(node: Any) -> list[Any]:
    """Return the children of a formula's node; of a sum of sums (or a product of products) all terms, however long."""
    kind, found, todo = node.getType(), [], [node]
    while todo:
        one = todo.pop()
        if one is node or (one.getType() == kind and kind in (libsbml.AST_PLUS, libsbml.AST_TIMES)):
            todo.extend(one.getChild(i) for i in reversed(range(one.getNumChildren())))
        else:
            found.append(one)
    return found


def _apply(kind: int, arguments: list[Any]) -> Any:
    if kind == libsbml.AST_MINUS:
        return -arguments[0] if len(arguments) == 1 else arguments[0] - arguments[1]
    if kind == libsbml.AST_FUNCTION_LOG:
        return sympy.log(arguments[1]) / sympy.log(arguments[0])
    if kind == libsbml.AST_FUNCTION_ROOT:
        return sympy.Pow(arguments[1], 1 / arguments[0])
    if kind in _RELATIONS:
        pairs = zip(arguments, arguments[1:], strict=False)
        return reduce(sympy.And, (_RELATIONS[kind](a, b) for a, b in pairs), sympy.true)
    return _FUNCTIONS[kind](*arguments)


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
    return f"{node.getName() or libsbml.formulaToL3String(node)}()"
