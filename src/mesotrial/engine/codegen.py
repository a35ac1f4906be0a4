"""One readable Python source per model: start, right-hand side and observables, then the driver of the method."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from sympy import Expr, Symbol

from mesotrial.engine.backend import LANES
from mesotrial.engine.derivatives import jacobian
from mesotrial.engine.errors import ModelError
from mesotrial.engine.hoisting import ordered_assignments
from mesotrial.engine.lowering import lower
from mesotrial.engine.model import TIME, Model, symbol
from mesotrial.engine.printing import LanePrinter, Printer

_IMPORTS = """\
from math import acos, acosh, asin, asinh, atan, atanh, ceil, cos, cosh, exp, floor, gamma, inf, log, nan, sin, sinh, sqrt, tan, tanh
import numpy as np
"""
_CPU = """\
from numba import njit

OPTIONS = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""
_CUDA = """\
from numba import cuda

OPTIONS = {}


def njit(*signature, **options):
    return cuda.jit(device=True)


"""
_DRIVERS = {
    "tsit5": ("tableau.py.in", "lanes.py.in"),
    "rosenbrock": ("tableau.py.in", "tsit5.py.in", "rodas.py.in", "switching.py.in", "driver.py.in"),
    "auto": ("tableau.py.in", "tsit5.py.in", "rodas.py.in", "switching.py.in", "driver.py.in"),
}
_SINGLE = ("T", "DT", "H", "EDGE", "SAVE", "TO_EDGE", "T_NEW", "GOOD", "FRESH", "REJECTED", "BEFORE", "WORST", "SUM")
_SIGNATURES = """\
START_SIGNATURE = "void(float64[:, ::1], float64[:, ::1], float64[:, ::1])"
OBSERVE_SIGNATURE = "void(float64[::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], int64, float64[:, ::1])"
ADVANCE_SIGNATURE = (
    "void(int64, int64, float64[::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1], int8[::1],"
    "int64[::1], float64[::1], int64[::1], float64[::1], float64[::1], int64[::1], float64[::1], float64[:, ::1],"
    "float64[:, :, ::1], float64, float64[::1], int64, float64, float64[::1], int64[::1])"
)
"""


def generate(
    model: Model,
    observables: Sequence[str],
    inputs: Sequence[str],
    dosed: Sequence[str],
    method: str = "tsit5",
    *,
    cuda: bool = False,
) -> tuple[str, dict[str, Any]]:
    """Return the source of the kernel of `model`, and its layout; constants that are no `inputs` become numbers in it.

    method: see `compile_model`. cuda: the source for a GPU: the same equations and driver, one lane to a thread.

    Raises:
        ModelError: an unknown name, or a needed constant without a value.
    """
    _refuse(model)
    lowered = lower(model, observables, inputs, dosed)
    hoister, fluid, rates = lowered.hoister, lowered.fluid, lowered.rates
    slopes = None
    if method != "tsit5":
        try:
            definitions, entries, by_time = jacobian(fluid, rates, [symbol(name) for name in lowered.states])
            definitions = {name: hoister.lift(e) for name, e in definitions.items()}
            entries = {place: hoister.lift(e) for place, e in entries.items()}
            slopes = (definitions, entries, {i: hoister.lift(e) for i, e in by_time.items()})
        except ModelError:
            if method == "rosenbrock":
                raise
            method = "tsit5"  # all that can be done without derivatives
    writer = _Writer(list(lowered.states), list(inputs), hoister.columns)
    lanes = method == "tsit5"
    head = _IMPORTS + (_CUDA if cuda else _CPU)
    parts = [
        head + (writer.lane_layout(cuda) if lanes else writer.layout(method)) + _SIGNATURES,
        writer.start(hoister.definitions, lowered.initial),
        *(writer.lane_rhs(fluid, rates, dosed) if lanes else [writer.rhs(fluid, rates, dosed)]),
        *([] if slopes is None else [writer.jac(*slopes)]),
        writer.observe(fluid, lowered.seen),
        *(_driver(name) for name in _DRIVERS[method]),
    ]
    layout = {
        "model_states": list(lowered.model_states),
        "states": list(lowered.states),
        "dead": sorted(lowered.dead),
        "exponents": lowered.exponents,
        "n_derived": len(hoister.columns),
        "work": writer.work[0],
        "desk": writer.work[1],
    }
    return "\n\n".join(parts), layout


@cache
def _driver(name: str) -> str:
    return files("mesotrial.engine").joinpath(name).read_text(encoding="utf-8")


def _refuse(model: Model) -> None:
    """Refuse what only the reference twin can do."""
    found = [f"the event {event.name}" for event in model.events] + [f"a delay in {name}" for name in _delayed(model)]
    found += [f"the fast reaction {name}" for name in model.equilibria]
    if found:
        raise ModelError(f'The compiled backend does not support {found[0]}: use backend="reference"')


def _delayed(model: Model) -> list[str]:
    """Return what uses a value of the past."""
    past = {symbol(name) for name in model.delays}
    rates = {name: equation.rate for name, equation in model.states.items()}
    return [name for name, e in {**model.algebra, **rates}.items() if e.free_symbols & past]


class _Writer:
    """Writes the functions of one model; knows where each symbol is stored."""

    def __init__(self, states: list[str], inputs: list[str], columns: list[Symbol]) -> None:
        self.states = {symbol(name): i for i, name in enumerate(states)}
        self.inputs = {symbol(name): i for i, name in enumerate(inputs)}
        self.columns = {name: i for i, name in enumerate(columns)}
        self.work = 0, 0
        """sizes of the two work arrays, once the layout is written"""

    def layout(self, method: str) -> str:
        """The work array: constants, then dose rates, states, stage and slopes, and what the stiff method needs."""
        n, constants = len(self.states), len(self.inputs) + len(self.columns)
        lines = [f"N_STATES, N_INPUTS, N_DERIVED = {n}, {len(self.inputs)}, {len(self.columns)}"]
        blocks = ("R", "Y", "U", "K1", "K2", "K3", "K4", "K5", "K6", "K7")
        lines += [f"{block} = {constants + i * n}" for i, block in enumerate(blocks)]
        work = constants + len(blocks) * n
        for block, size in (
            ("J", n * n),
            ("E", n * n),
            ("FT", n),
            ("PIVOT", n),
            ("FRESH", 1),
            ("STIFF", 1),
            ("COUNT", 1),
        ):
            lines.append(f"{block} = {work}")
            work += size
        self.work = work, 0
        return "\n".join([*lines, f"ALWAYS_STIFF = {method == 'rosenbrock'}", f"WORK = {work}", ""])

    def lane_layout(self, cuda: bool) -> str:
        """The work array of a group of patients: of each number as many as there are lanes."""
        lanes = 1 if cuda else LANES
        n, constants = len(self.states), len(self.inputs) + len(self.columns)
        lines = [f"from mesotrial.engine import {'cuda_numbers' if cuda else 'vectors'} as V"]
        lines += [f"LANES, N_STATES = {lanes}, {n}"]
        blocks = ("R", "Y", "U", "F", "K1", "K2", "K3", "K4", "K5", "K6")
        lines += [f"{block} = {constants + i * n} * LANES" for i, block in enumerate(blocks)]
        single = constants + len(blocks) * n
        lines += [f"{name} = {single + i} * LANES" for i, name in enumerate(_SINGLE)]
        self.work = (single + len(_SINGLE)) * lanes, 8 * lanes
        return "\n".join([*lines, f"WORK = {self.work[0]}", ""])

    def start(self, definitions: Mapping[Symbol, Expr], initial: Sequence[Expr]) -> str:
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

    def rhs(self, fluid: Mapping[Symbol, Expr], rates: Sequence[Expr], dosed: Sequence[str]) -> str:
        doses = {i: f" + w[R + {i}]" if s.name in dosed else "" for s, i in self.states.items()}
        targets = {f"w[k + {i}]": rate for i, rate in enumerate(rates)}
        body = self._body(fluid, targets, self._in_work_array(), lambda i: doses[i])
        return _function("**OPTIONS", "rhs(t, w, y, k)", body)

    def lane_rhs(self, fluid: Mapping[Symbol, Expr], rates: Sequence[Expr], dosed: Sequence[str]) -> list[str]:
        """The rates of a group at the fraction `c` of its step, from U to F; and what brings the constants they use."""
        stored = {s: f"V.load(w, U + {i} * LANES)" for s, i in self.states.items()}
        places = {s: i for i, s in enumerate((*self.inputs, *self.columns))}
        stored |= {s: f"V.load(w, {i} * LANES)" for s, i in places.items()}
        doses = {i: f" + V.load(w, R + {i} * LANES)" if s.name in dosed else "" for s, i in self.states.items()}
        targets = {f"V.store(w, F + {i} * LANES, {{}})": rate for i, rate in enumerate(rates)}
        body = self._body(fluid, targets, stored, lambda i: doses[i], LanePrinter)
        body = ["t = V.load(w, T) + c * V.load(w, DT)", *body]
        used = _reached(fluid, rates)
        sources = [("parameters", s, i) for s, i in self.inputs.items()] + [
            ("derived", s, i) for s, i in self.columns.items()
        ]
        fetched = [f"w[{places[s]} * LANES + lane] = {array}[p, {i}]" for array, s, i in sources if s in used]
        return [
            _function("**OPTIONS", "rhs(c, w)", body),
            _function("**OPTIONS", "fetch_constants(lane, p, w, parameters, derived)", fetched or ["pass"]),
        ]

    def jac(
        self, fluid: Mapping[Symbol, Expr], entries: Mapping[tuple[int, int], Expr], by_time: Mapping[int, Expr]
    ) -> str:
        """The derivatives of the rates by state and time; those that are 0 stay as the work array was made."""
        targets = {f"w[J + {i * len(self.states) + j}]": e for (i, j), e in entries.items()}
        targets |= {f"w[FT + {i}]": e for i, e in by_time.items()}
        return _function("**OPTIONS", "jac(t, w, y)", self._body(fluid, targets, self._in_work_array()))

    def _in_work_array(self) -> dict[Symbol, str]:
        stored = {s: f"w[y + {i}]" for s, i in self.states.items()}
        stored |= {s: f"w[{i}]" for s, i in self.inputs.items()}
        return stored | {s: f"w[{len(self.inputs) + i}]" for s, i in self.columns.items()}

    def observe(self, fluid: Mapping[Symbol, Expr], seen: Sequence[Expr]) -> str:
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


def _reached(definitions: Mapping[Symbol, Expr], wanted: Sequence[Expr]) -> set[Symbol]:
    """Return every symbol that `wanted` depends on."""
    found: set[Symbol] = set()
    todo = list(wanted)
    while todo:
        new = todo.pop().free_symbols - found
        found |= new
        todo += [definitions[s] for s in new if s in definitions]
    return found


def _variable(prefix: str, name: Symbol) -> str:
    """A Python name: engine-made symbols are written <x1> or S.amount, which no model symbol can be."""
    if name.name.startswith("<"):
        return str(name.name.strip("<>"))
    first, _, kind = name.name.partition(".")
    return f"{prefix}{kind}_{first}"


def _function(options: str, head: str, body: Sequence[str]) -> str:
    return "\n".join([f"@njit({options})", f"def {head}:", *(f"    {line}" for line in body)])
