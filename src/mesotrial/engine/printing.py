"""sympy expressions as Python arithmetic that Numba compiles well."""

import re
from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Expr, Symbol
from sympy.printing.pycode import PythonCodePrinter

_LARGEST_PRODUCT = 8  # integer powers up to this one become products
_LARGEST_WHOLE_POWER = 64  # the same where a general power costs more
_FUNCTION = re.compile(r"(?<![\w.])(a?(?:sin|cos|tan)h?|exp|log|sqrt|floor|ceil|gamma)\(")


class Printer(PythonCodePrinter):  # type: ignore[misc]
    """Prints an expression; `names` maps each symbol to its variable."""

    def __init__(self, names: Mapping[Symbol, str]) -> None:
        """Take the variable of each symbol."""
        super().__init__({"fully_qualified_modules": False})
        self.names = names

    def text(self, expression: Expr) -> str:
        """Return the Python text of `expression`."""
        return str(self.doprint(expression))

    def _print_Symbol(self, expr: Symbol) -> str:  # noqa: N802 (sympy's naming)
        return self.names[expr]

    def _print_Number(self, expr: Any) -> str:  # noqa: N802
        return repr(float(expr))

    _print_Integer = _print_Rational = _print_Float = _print_Half = _print_Zero = _print_Number
    _print_One = _print_NegativeOne = _print_NumberSymbol = _print_Exp1 = _print_Pi = _print_Number

    def _print_NaN(self, expr: Any) -> str:  # noqa: N802
        return "nan"

    def _print_Infinity(self, expr: Any) -> str:  # noqa: N802
        return "inf"

    def _print_NegativeInfinity(self, expr: Any) -> str:  # noqa: N802
        return "-inf"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:  # noqa: N802
        base, exponent = expr.base, expr.exp
        if base == sympy.E:
            return f"exp({self._print(exponent)})"
        text = self.parenthesize(base, 1000)
        if not exponent.is_number:
            return f"{text} ** {self.parenthesize(exponent, 1000)}"
        power = float(exponent)
        if power < 0:
            return f"1.0 / ({self._power(text, base, -power)})"
        return self._power(text, base, power)

    def _power(self, text: str, base: Expr, power: float) -> str:
        if power == 0.5:
            return f"sqrt({self._print(base)})"
        if power == 1.5 and base.is_Symbol:
            return f"{text} * sqrt({text})"
        if power.is_integer() and power <= _LARGEST_PRODUCT:
            return text if power == 1 else f"{text} ** {int(power)}"
        return f"{text} ** {power!r}"

    def _print_Mul(self, expr: Any) -> str:  # noqa: N802
        number, rest = expr.as_coeff_Mul()
        above, below = [], []
        for factor in sympy.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            if exponent.is_number and exponent.is_negative and base != sympy.E:
                below.append(sympy.Pow(base, -exponent, evaluate=False) if exponent != -1 else base)
            else:
                above.append(factor)
        sign = ""
        if number == -1 and above:
            sign = "-"
        elif number != 1 or not above:
            above.insert(0, number)
        text = sign + " * ".join(self._factor(f) for f in above)
        if not below:
            return text
        bottom = " * ".join(self._factor(f) for f in below)
        return f"{text} / ({bottom})"

    def _factor(self, expression: Expr) -> str:
        if expression.is_Atom and not (expression.is_number and expression.is_negative):
            return str(self._print(expression))
        if isinstance(expression, sympy.Function):
            return str(self._print(expression))
        return f"({self._print(expression)})"

    def _print_Min(self, expr: Any) -> str:  # noqa: N802
        return f"min({', '.join(self._print(a) for a in expr.args)})"

    def _print_Max(self, expr: Any) -> str:  # noqa: N802
        return f"max({', '.join(self._print(a) for a in expr.args)})"

    def _print_sign(self, expr: Any) -> str:  # noqa: N802
        text = self._print(expr.args[0])
        return f"(1.0 if {text} > 0.0 else -1.0 if {text} < 0.0 else 0.0)"

    def _print_Abs(self, expr: Any) -> str:  # noqa: N802
        return f"abs({self._print(expr.args[0])})"

    def _print_Piecewise(self, expr: Any) -> str:  # noqa: N802
        text = "nan"
        for value, condition in reversed(expr.args):
            if condition == True:  # noqa: E712 (sympy's true)
                text = self._print(value)
            else:
                text = self._either(self._print(condition), self._print(value), text)
        return str(text)

    def _either(self, condition: str, value: str, other: str) -> str:
        return f"({value} if {condition} else {other})"


class LanePrinter(Printer):
    """Prints for patients side by side: no branches, and the functions of `vectors`, which is called V."""

    def text(self, expression: Expr) -> str:
        """Return the Python text of `expression`."""
        return _FUNCTION.sub(r"V.\1(", super().text(expression))

    def _power(self, text: str, base: Expr, power: float) -> str:
        if power == 0.5:
            return f"V.sqrt({self._print(base)})"
        if power == 1.5:
            return f"({text} * V.sqrt({text}))"
        if power.is_integer() and power <= _LARGEST_WHOLE_POWER:
            return text if power == 1 else f"V.whole_power({text}, {int(power)})"
        return f"V.{'power' if power.is_integer() else 'real_power'}({text}, {power!r})"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:  # noqa: N802
        if expr.base == sympy.E or expr.exp.is_number:
            return super()._print_Pow(expr, rational)
        return f"V.power({self._print(expr.base)}, {self._print(expr.exp)})"

    def _print_Min(self, expr: Any) -> str:  # noqa: N802
        return self._fold("least", expr.args)

    def _print_Max(self, expr: Any) -> str:  # noqa: N802
        return self._fold("most", expr.args)

    def _fold(self, name: str, arguments: Any) -> str:
        text = self._print(arguments[0])
        for argument in arguments[1:]:
            text = f"V.{name}({text}, {self._print(argument)})"
        return str(text)

    def _print_sign(self, expr: Any) -> str:  # noqa: N802
        text = self._print(expr.args[0])
        return f"V.where({text} > 0.0, 1.0, V.where({text} < 0.0, -1.0, 0.0 * ({text})))"

    def _print_Abs(self, expr: Any) -> str:  # noqa: N802
        return f"V.magnitude({self._print(expr.args[0])})"

    def _print_Mod(self, expr: Any) -> str:  # noqa: N802
        above, below = (f"({self._print(a)})" for a in expr.args)
        return f"({above} - {below} * V.floor({above} / {below}))"

    def _either(self, condition: str, value: str, other: str) -> str:
        return f"V.where({condition}, {value}, {other})"

    def _print_And(self, expr: Any) -> str:  # noqa: N802
        return " & ".join(f"({self._print(a)})" for a in expr.args)

    def _print_Or(self, expr: Any) -> str:  # noqa: N802
        return " | ".join(f"({self._print(a)})" for a in expr.args)

    def _print_Not(self, expr: Any) -> str:  # noqa: N802
        return f"V.opposite({self._print(expr.args[0])})"
