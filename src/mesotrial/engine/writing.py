"""Writes the functions of one model as Python source for Numba, patients side by side."""

import re
from collections.abc import Callable, Mapping, Sequence, Set

from sympy import Expr, Symbol

from mesotrial.engine.derivatives import Slopes
from mesotrial.engine.factors import LONGEST, TINY, Plan, factorise_lines, length, solve_lines
from mesotrial.engine.hoisting import ordered_assignments
from mesotrial.engine.model import TIME, symbol
from mesotrial.engine.printing import LanePrinter, Printer

_SINGLE = ("T", "DT", "H", "EDGE", "SAVE", "TO_EDGE", "T_NEW", "GOOD", "FRESH", "REJECTED", "BEFORE", "WORST", "SUM")
_METHOD = ("ACTIVE", "STIFF", "COUNT", "FASTEST")
_PLACE = re.compile(r"\b([A-Z]\w*) \+ (\d+) \* LANES")


class Writer:
    """Writes the functions of one model; knows where each symbol is stored."""

    def __init__(
        self,
        states: Sequence[str],
        inputs: Sequence[str],
        columns: Sequence[Symbol],
        lanes: int,
        matrix: Plan | None,
    ) -> None:
        """Lay out the work array of a group of patients: of each number as many as there are `lanes`.

        columns: of `derived`. matrix: of the stiff method, if there is one.
        """
        self.states = {symbol(name): i for i, name in enumerate(states)}
        self.inputs = {symbol(name): i for i, name in enumerate(inputs)}
        self.columns = {name: i for i, name in enumerate(columns)}
        self.lanes = lanes
        n, size = len(states), len(inputs) + len(columns)
        blocks = [(block, n) for block in ("R", "Y", "U", "F", "K1", "K2", "K3", "K4", "K5", "K6")]
        blocks += [] if matrix is None else [("FT", n), ("E", len(matrix.slots))]
        self.places: dict[str, int] = {}
        """where each block of the work array begins"""
        for block, numbers in (*blocks, *((name, 1) for name in (*_SINGLE, *_METHOD))):
            self.places[block] = size * lanes
            size += numbers
        self.work = size * lanes, 8 * lanes
        """sizes of the two work arrays"""

    def layout(self, always_stiff: bool) -> str:
        """Return the numbers that the driver needs."""
        lines = [f"from mesotrial.engine import {'vectors' if self.lanes > 1 else 'cuda_numbers'} as V"]
        lines += [f"LANES, N_STATES, WORK = {self.lanes}, {len(self.states)}, {self.work[0]}"]
        lines += [f"ALWAYS_STIFF, TINY = {always_stiff}, {TINY}"]
        return "\n".join([*lines, *(f"{block} = {place}" for block, place in self.places.items()), ""])

    def start(self, definitions: Mapping[Symbol, Expr], initial: Sequence[Expr]) -> str:
        """What is computed from the parameters once, and the initial values."""
        targets = [f"derived[p, {i}]" for i in range(len(self.columns))]
        targets += [f"values[p, {i}]" for i in range(len(initial))]
        body = self._body(
            definitions,
            dict(zip(targets, [*self.columns, *initial], strict=True)),
            {s: f"parameters[p, {i}]" for s, i in self.inputs.items()},
        )
        return _function(
            "START_SIGNATURE, **OPTIONS",
            "start(parameters, derived, values)",
            ["for p in range(parameters.shape[0]):", *(f"    {line}" for line in body)],
        )

    def fetch_constants(self, used: Set[Symbol]) -> str:
        """What brings the constants of a patient that are used to a lane."""
        sources = [("parameters", s, i) for s, i in self.inputs.items()]
        sources += [("derived", s, i) for s, i in self.columns.items()]
        lines = [
            f"w[{place} * LANES + lane] = {array}[p, {i}]" for place, (array, s, i) in enumerate(sources) if s in used
        ]
        return self._in_numbers("fetch_constants(lane, p, w, parameters, derived)", lines)

    def rhs(self, fluid: Mapping[Symbol, Expr], rates: Sequence[Expr], dosed: Sequence[str]) -> str:
        """The rates of a group at the fraction `c` of its step, from U to F."""
        doses = {i: f" + V.load(w, R + {i} * LANES)" if s.name in dosed else "" for s, i in self.states.items()}
        targets = {f"V.store(w, F + {i} * LANES, {{}})": rate for i, rate in enumerate(rates)}
        body = self._body(fluid, targets, self._in_lanes("U"), lambda i: doses[i], LanePrinter)
        return self._in_numbers("rhs(c, w)", ["t = V.load(w, T) + c * V.load(w, DT)", *body])

    def stiff(self, slopes: Slopes, matrix: Plan) -> list[str]:
        """What the stiff method needs: the negative Jacobian J of a group at present, to E, with the slopes by time; its
        factors; and the solution of linear equations: these two as straight-line code, or as tables for loops.

        FASTEST is the largest J[i, j] J[j, i], the square of a rate that does not depend on the units of the states.
        """
        targets = {f"V.store(w, E + {matrix.slots[place]} * LANES, {{}})": -e for place, e in slopes.entries.items()}
        targets |= {f"V.store(w, FT + {i} * LANES, {{}})": e for i, e in slopes.by_time.items()}
        number = {place: f"r{k}" for k, place in enumerate(slopes.entries)}
        loops = [f"V.magnitude({number[i, j]} * {number[j, i]})" for i, j in number if i <= j and (j, i) in number]
        body = self._body(slopes.definitions, targets, self._in_lanes("Y"), style=LanePrinter)
        body = ["t = V.load(w, T)", *body, "f0 = 0.0 * t"]
        body += [f"f{k + 1} = V.most(f{k}, {loop})" for k, loop in enumerate(loops)]
        body.append(f"V.store(w, FASTEST, f{len(loops)})")
        if length(matrix) > LONGEST:
            head = f"FIRST, DIAGONAL, COLUMN, ACROSS, FILLED = tables({sorted(matrix.given)}, N_STATES)"
            head = "from mesotrial.engine.factors import tables\n\n" + head
            return [head, self._in_numbers("jacobian(w)", body)]
        return [
            self._in_numbers("jacobian(w)", body),
            self._in_numbers("factorise(diagonal, w)", factorise_lines(matrix)),
            self._in_numbers("solve(w)", solve_lines(matrix)),
        ]

    def _in_numbers(self, head: str, body: Sequence[str]) -> str:
        """A function of a group with its places as plain numbers, which Numba compiles in less time."""

        def number(found: re.Match[str]) -> str:
            return str(self.places[found[1]] + int(found[2]) * self.lanes)

        return _function("**OPTIONS", head, [_PLACE.sub(number, line) for line in body])

    def _in_lanes(self, block: str) -> dict[Symbol, str]:
        stored = {s: f"V.load(w, {block} + {i} * LANES)" for s, i in self.states.items()}
        return stored | {s: f"V.load(w, {i} * LANES)" for i, s in enumerate((*self.inputs, *self.columns))}

    def observe(self, fluid: Mapping[Symbol, Expr], seen: Sequence[Expr]) -> str:
        """The observables."""
        stored = {s: f"values[j, {i}]" for s, i in self.states.items()}
        stored |= {s: f"parameters[p, {i}]" for s, i in self.inputs.items()}
        stored |= {s: f"derived[p, {i}]" for s, i in self.columns.items()}
        body = self._body(fluid, {f"out[{i}, j]": e for i, e in enumerate(seen)}, stored)
        body = ["t = time[j]", "p = j // samples", *body]
        return _function(
            "OBSERVE_SIGNATURE, **OPTIONS",
            "observe(time, values, parameters, derived, samples, out)",
            ["for j in range(time.shape[0]):", *(f"    {line}" for line in body)],
        )

    def _body(
        self,
        definitions: Mapping[Symbol, Expr],
        targets: Mapping[str, Expr],
        stored: Mapping[Symbol, str],
        suffix: Callable[[int], str] = lambda _: "",
        style: type[Printer] = Printer,
    ) -> list[str]:
        """Load what is used, assign in order, then store the targets (last, since the arrays may overlap).

        A target is a place, or a call with {} for the value.
        """
        assignments, outputs = ordered_assignments(dict(definitions), list(targets.values()))
        used = {s for e in (*(e for _, e in assignments), *outputs) for s in e.free_symbols}
        names = {TIME: "t"}
        names |= {s: _variable("y", s) for s in self.states} | {s: _variable("p", s) for s in self.inputs}
        names |= {s: _variable("c", s) for s in self.columns} | {s: _variable("a", s) for s, _ in assignments}
        printer = style(names)
        lines = [f"{names[s]} = {place}" for s, place in stored.items() if s in used]
        lines += [f"{names[s]} = {printer.text(e)}" for s, e in assignments]
        results = [f"r{i} = {printer.text(e)}{suffix(i)}" for i, e in enumerate(outputs)]
        stores = [place.format(f"r{i}") if "{}" in place else f"{place} = r{i}" for i, place in enumerate(targets)]
        return [*lines, *results, *stores] or ["pass"]


def _variable(prefix: str, name: Symbol) -> str:
    """A Python name: engine-made symbols are written <x1> or S.amount, which no model symbol can be."""
    if name.name.startswith("<"):
        return str(name.name.strip("<>"))
    first, _, kind = name.name.partition(".")
    return f"{prefix}{kind}_{first}"


def _function(options: str, head: str, body: Sequence[str]) -> str:
    return "\n".join([f"@njit({options})", f"def {head}:", *(f"    {line}" for line in body or ["pass"])])
