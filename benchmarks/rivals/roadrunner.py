"""libRoadRunner (CVODE) in the fastest form that was found for it, which is not the form one would write first."""

import time
import warnings

import numpy as np
from sympy.printing.str import StrPrinter

from rivals.problems import SCAN_DAYS, Problem
from rivals.programs import MOST_STEPS, Equations, constants_and_start


class RoadRunner:
    """One `simulate` a patient, doses as SBML events.

    What makes it fast: the engine's reduced equations instead of the model as it is written; products instead of whole
    powers; two events a drug, which put themselves off to the next dose, instead of two a dose; all values set by one
    call. Adams and BDF are tried, and of their orders a lower one.
    """

    forms = {"Adams": (False, 12), "Adams to order 5": (False, 5), "BDF": (True, 5)}

    def __init__(self, problem: Problem) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import roadrunner
        from mesotrial.engine import antimony_to_sbml

        self.problem, self.form = problem, next(iter(self.forms))
        equations = Equations(problem)
        self.states = list(equations.lowered.states)
        self.runner = roadrunner.RoadRunner(antimony_to_sbml(_model(problem, equations)))
        self.runner.timeCourseSelections = [f"y{i}" for i in range(len(self.states))]
        self.runner.integrator.maximum_num_steps = MOST_STEPS

    def run(self, rows: np.ndarray, rtol: float) -> tuple[float, np.ndarray]:
        runner, problem = self.runner, self.problem
        stiff, order = self.forms[self.form]
        runner.integrator.stiff = stiff
        if not stiff:
            runner.integrator.maximum_adams_order = order
        runner.integrator.relative_tolerance = rtol
        runner.integrator.absolute_tolerance = problem.atol * rtol / 1e-6
        out = np.empty((len(rows), len(SCAN_DAYS), len(self.states)))
        times = [0.0, *SCAN_DAYS.tolist()]
        constants, start = constants_and_start(problem, rows)
        values = {f"c{i}": column for i, column in enumerate(constants.T)}
        values |= {f"y{i}": column for i, column in enumerate(start.T)}
        for state, (amount, days, first, every, _) in problem.regular().items():
            i, rate = self.states.index(state), amount[rows] / days
            start, at_once = np.full(len(rows), first), first == 0
            values |= {f"rate{i}": rate, f"stop{i}": start + days}
            values |= {f"given{i}": rate * at_once, f"next{i}": start + every * at_once}
        place = {name: i for i, name in enumerate(runner.model.getGlobalParameterIds())}
        places, table = [place[name] for name in values], np.stack(list(values.values()), axis=1)
        began = time.process_time()
        for k in range(len(rows)):
            runner.reset()
            runner.model.setGlobalParameterValues(places, table[k])
            out[k] = np.asarray(runner.simulate(times=times))[1:]
        return time.process_time() - began, out


class _Antimony(StrPrinter):
    def _print_Float(self, number) -> str:
        return repr(float(number))

    def _print_log(self, formula) -> str:
        return f"ln({self._print(formula.args[0])})"

    def _print_Pow(self, power, rational: bool = False) -> str:
        base = f"({self._print(power.base)})"
        if power.exp.is_Integer:
            product = "*".join([base] * abs(int(power.exp)))
            return f"({product})" if power.exp > 0 else f"(1/({product}))"
        return f"{base}^({self._print(power.exp)})"


def _model(problem: Problem, equations: Equations) -> str:
    equations.names = {
        symbol: "time" if name == "t" else name.translate({ord("["): None, ord("]"): None})
        for symbol, name in equations.names.items()
    }
    constants = len(equations.lowered.inputs) + len(equations.columns)
    given = {list(equations.lowered.states).index(state): plan for state, plan in problem.regular().items()}
    lines, rates = equations.lines(_Antimony(), ";")
    text = [line.replace(" = ", " := ", 1) for line in lines] + [f"c{i} = 1;" for i in range(constants)]
    for i, rate in enumerate(rates):
        text += [f"y{i}' = {rate}{f' + given{i}' if i in given else ''};", f"y{i} = 0;"]
    for i, (_, _, _, every, last) in given.items():
        text += [
            f"given{i} = 0; rate{i} = 0; next{i} = 0; stop{i} = 0;",
            f"at (time >= next{i}): given{i} = rate{i}, next{i} = piecewise(next{i} + {every!r}, next{i} < {last!r}, 1e9);",
            f"at (time >= stop{i}): given{i} = 0, stop{i} = piecewise(stop{i} + {every!r}, stop{i} < {last!r}, 1e9);",
        ]
    return "\n".join(text) + "\n"
