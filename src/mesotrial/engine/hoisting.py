"""What depends on a patient's parameters alone is computed once, not at every step."""

from collections.abc import Iterable

import sympy
from sympy import Expr, Symbol

from mesotrial.engine.model import number


class Hoister:
    """Replaces constant sub-expressions by symbols and remembers what those stand for.

    inputs: per-patient parameters. `definitions`: all constant symbols that are no inputs. `columns`: those of them
    that lifted expressions use, in order of first use.
    """

    def __init__(self, inputs: Iterable[Symbol]) -> None:
        """Begin with the `inputs` as the only constants."""
        self.inputs = set(inputs)
        self.definitions: dict[Symbol, Expr] = {}
        self.columns: list[Symbol] = []
        self._compound: dict[Expr, Symbol] = {}
        self._lifted: dict[Expr, Expr] = {}

    def is_constant(self, expression: Expr) -> bool:
        """Tell whether `expression` depends on nothing but inputs and what is computed from them."""
        return all(s in self.inputs or s in self.definitions for s in expression.free_symbols)

    def lift(self, expression: Expr) -> Expr:
        """Return `expression` with its constant parts replaced by columns, inputs and numbers."""
        if expression not in self._lifted:
            self._lifted[expression] = self._lift(expression)
        return self._lifted[expression]

    def _lift(self, expression: Expr) -> Expr:
        if expression.is_Symbol:
            return self._column(expression) if expression in self.definitions else expression
        if expression.is_Atom:
            return expression
        if isinstance(expression, Expr) and self.is_constant(expression):
            if not expression.free_symbols:
                return number(float(expression))
            if expression not in self._compound:
                name = Symbol(f"<c{len(self._compound)}>", real=True)
                self._compound[expression] = name
                self.definitions[name] = expression
            return self._column(self._compound[expression])
        arguments = list(expression.args)
        if expression.is_Add or expression.is_Mul:
            fixed = [a for a in arguments if self.is_constant(a)]
            if len(fixed) > 1 and not (len(fixed) == 2 and -1 in fixed and all(a.is_Atom for a in fixed)):
                arguments = [expression.func(*fixed), *(a for a in arguments if not self.is_constant(a))]
        return expression.func(*(self.lift(a) for a in arguments))

    def _column(self, name: Symbol) -> Symbol:
        if name not in self.columns:
            self.columns.append(name)
        return name


def ordered_assignments(
    definitions: dict[Symbol, Expr], wanted: list[Expr]
) -> tuple[list[tuple[Symbol, Expr]], list[Expr]]:
    """Return assignments in evaluation order and `wanted` in terms of them, common sub-expressions taken out."""
    needed: dict[Symbol, Expr] = {}
    todo = [s for e in wanted for s in e.free_symbols]
    while todo:
        name = todo.pop()
        if name in definitions and name not in needed:
            needed[name] = definitions[name]
            todo.extend(definitions[name].free_symbols)
    needed = {name: e for name, e in definitions.items() if name in needed}
    temporaries = sympy.numbered_symbols("<x", real=True)
    common, reduced = sympy.cse([*needed.values(), *wanted], symbols=temporaries, list=True)
    assigned = {**dict(common), **dict(zip(needed, reduced, strict=False))}
    outputs = reduced[len(needed) :]
    ordered: dict[Symbol, Expr] = {}

    def visit(name: Symbol) -> None:
        if name in assigned and name not in ordered:
            for used in sorted(assigned[name].free_symbols, key=str):
                visit(used)
            ordered[name] = assigned[name]

    for expression in outputs:
        for used in sorted(expression.free_symbols, key=str):
            visit(used)
    return list(ordered.items()), outputs
