"""SBML's algebraic rules, solved for what they determine."""

from collections.abc import Mapping, Sequence, Set

import sympy
from sympy import Expr, Symbol
from sympy.solvers.solveset import NonlinearError

from mesotrial.engine.errors import ModelError
from mesotrial.engine.model import symbol


def solve_rules(
    equations: Sequence[Expr], free: Sequence[str], struck: Set[str], algebra: Mapping[str, Expr]
) -> dict[str, Expr]:
    """Return a formula for each symbol that the `equations` (each equal to 0) determine.

    free: the symbols that nothing else determines. struck: those among them that events assign, taken last.
    algebra: the assignment rules, through which an equation may depend on a free symbol.

    Raises:
        ModelError: no symbol is left for an equation, or an equation has no unique real solution for it.
    """
    rules = {symbol(name): e for name, e in algebra.items()}
    candidates = [symbol(name) for name in sorted(free, key=lambda name: name in struck)]
    expanded = [_expanded(equation, rules, set(candidates)) for equation in equations]
    unknowns = _matching(expanded, candidates)
    solution: dict[str, Expr] = {}
    for group in _groups(expanded, unknowns):
        solution |= _solve([expanded[i] for i in group], [unknowns[i] for i in group])
    return solution


def _expanded(equation: Expr, rules: Mapping[Symbol, Expr], candidates: set[Symbol]) -> Expr:
    """Write out assignment rules that hide a candidate."""
    for _ in range(len(rules)):
        hiding = {s: rules[s] for s in equation.free_symbols & rules.keys() if _reaches(rules[s], rules, candidates)}
        if not hiding:
            break
        equation = equation.xreplace(hiding)
    return equation


def _reaches(expression: Expr, rules: Mapping[Symbol, Expr], candidates: set[Symbol]) -> bool:
    seen: set[Symbol] = set()
    todo = set(expression.free_symbols)
    while todo:
        if todo & candidates:
            return True
        seen |= todo
        todo = {u for s in todo if s in rules for u in rules[s].free_symbols} - seen
    return False


def _matching(equations: Sequence[Expr], candidates: Sequence[Symbol]) -> list[Symbol]:
    """Give each equation its own symbol (augmenting paths)."""
    owner: dict[Symbol, int] = {}

    def place(i: int, tried: set[Symbol]) -> bool:
        for name in candidates:
            if name in equations[i].free_symbols and name not in tried:
                tried.add(name)
                if name not in owner or place(owner[name], tried):
                    owner[name] = i
                    return True
        return False

    for i, equation in enumerate(equations):
        if not place(i, set()):
            raise ModelError(f"The algebraic rule 0 = {equation} determines nothing: every symbol in it is determined")
    found = {i: name for name, i in owner.items()}
    return [found[i] for i in range(len(equations))]


def _groups(equations: Sequence[Expr], unknowns: Sequence[Symbol]) -> list[list[int]]:
    """Return the equations in the order of solution, those that need one another together."""
    needs = [{unknowns.index(s) for s in e.free_symbols if s in unknowns} for e in equations]
    reach = [set(need) for need in needs]
    for _ in equations:
        reach = [set().union(r, *(reach[j] for j in r)) for r in reach]
    groups: list[list[int]] = []
    for i in sorted(range(len(equations)), key=lambda i: len(reach[i])):
        if not any(i in group for group in groups):
            groups.append([j for j in range(len(equations)) if j == i or (j in reach[i] and i in reach[j])])
    return groups


def _solve(equations: list[Expr], unknowns: list[Symbol]) -> dict[str, Expr]:
    """Solve equations for as many unknowns: at once when they are linear, else one equation by inversion."""
    names = ", ".join(s.name for s in unknowns)
    try:
        matrix, right = sympy.linear_eq_to_matrix(equations, unknowns)
        if matrix.det() != 0:
            return {s.name: e for s, e in zip(unknowns, matrix.LUsolve(right), strict=True)}
        found: list[Expr] = []
    except NonlinearError:
        found = []
        if len(equations) == 1 and not equations[0].has(sympy.Piecewise):
            try:
                found = [e for e in sympy.solve(equations[0], unknowns[0]) if e.is_real is not False]
            except NotImplementedError:
                found = []
    if len(found) == 1:
        return {unknowns[0].name: found[0]}
    text = ", ".join(f"0 = {e}" for e in equations)
    raise ModelError(f"The algebraic rule {text} has no unique solution for {names}: not supported")
