"""The problems: the project's own model, and two of others, each one year with doses and scans."""

from dataclasses import dataclass

import numpy as np

YEAR_DAYS = 364.0
SCAN_DAYS = np.arange(42.0, YEAR_DAYS + 1, 42.0)

# Simeoni et al. 2004, Cancer Res 64:1094-1101: growth of a xenograft from exponential to linear, three transit stages of
# dying cells; with the two-compartment kinetics of an intravenous drug. Values of the paper's order.
SIMEONI = """
l0 = 0.03; l1 = 0.3; k1 = 0.15; k2 = 0.0012; w0 = 0.05; psi = 20;
k10 = 2.0; k12 = 1.2; k21 = 0.5; V = 0.8;
a1 = 0; a2 = 0; x1 = w0; x2 = 0; x3 = 0; x4 = 0;
c := a1 / V;
w := x1 + x2 + x3 + x4;
a1' = k21 * a2 - (k10 + k12) * a1;
a2' = k12 * a1 - k21 * a2;
x1' = l0 * x1 / (1 + (l0 / l1 * w)^psi)^(1 / psi) - k2 * c * x1;
x2' = k2 * c * x1 - k1 * x2;
x3' = k1 * (x2 - x3);
x4' = k1 * (x3 - x4);
"""
# Elowitz and Leibler 2000, Nature 403:335-338: three genes that repress one another in a ring, in units of the life of an
# mRNA; here one such unit is a day.
REPRESSILATOR = """
alpha = 216.4; alpha0 = 0.2164; n = 2; beta = 0.2;
m1 = 0; m2 = 0; m3 = 0; p1 = 5; p2 = 0; p3 = 15;
m1' = alpha0 + alpha / (1 + p3^n) - m1;
m2' = alpha0 + alpha / (1 + p1^n) - m2;
m3' = alpha0 + alpha / (1 + p2^n) - m3;
p1' = beta * (m1 - p1);
p2' = beta * (m2 - p2);
p3' = beta * (m3 - p3);
"""


@dataclass(frozen=True)
class Problem:
    """A model, its patients and what they are given; the doses' days are the same for all."""

    name: str
    text: str
    """Antimony"""
    inputs: tuple[str, ...]
    table: np.ndarray
    """(n, n_inputs)"""
    initial: dict[str, np.ndarray]
    """(n,) by state, where it is not the model's own"""
    doses: tuple[tuple[float, str, np.ndarray, float], ...]
    """day, state, amount (n,), days of infusion"""
    observables: tuple[str, ...]
    atol: float = 1e-9

    @property
    def dosed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(state for _, state, _, _ in self.doses))

    def regular(self) -> dict[str, tuple[np.ndarray, float, float, float, float]]:
        """By state: the amounts, the days of an infusion, the first one's day, the days from one to the next, the last one's day."""
        plans = {}
        for state in self.dosed:
            day, amount, days = zip(*((d, a, w) for d, name, a, w in self.doses if name == state), strict=True)
            assert np.ptp(np.diff(day)) == 0 and np.ptp(days) == 0 and all((a == amount[0]).all() for a in amount)
            plans[state] = amount[0], days[0], day[0], day[1] - day[0], day[-1]
        return plans

    def stretches(self) -> list[tuple[float, float, list[int]]]:
        """Between the edges of doses: from, to, and which of the doses run."""
        edges = {0.0, YEAR_DAYS}.union(*((day, day + days) for day, _, _, days in self.doses))
        pairs = zip(sorted(edges)[:-1], sorted(edges)[1:], strict=True)
        return [(a, b, [i for i, (day, *_, days) in enumerate(self.doses) if day <= a < day + days]) for a, b in pairs]

    def lowered(self):
        from mesotrial.engine import load_model
        from mesotrial.engine.lowering import lower

        return lower(load_model(self.text), self.observables, self.inputs, self.dosed)


NAMES = ("mesothelioma", "Simeoni", "repressilator")


def problems(patients: int, names: list[str] | None = None) -> tuple[Problem, ...]:
    makers = dict(zip(NAMES, (own, simeoni, repressilator), strict=True))
    return tuple(make(patients) for name, make in makers.items() if not names or name in names)


def simeoni(n: int) -> Problem:
    inputs = ("l0", "l1", "k1", "k2", "w0", "k10", "k12", "k21", "V")
    weekly = np.arange(7.0, 250.0, 7.0)
    amount = 4.0 * np.exp(np.random.default_rng(2).normal(0, 0.1, n))
    doses = tuple((float(day), "a1", amount, 1 / 24) for day in weekly)
    return Problem("Simeoni", SIMEONI, inputs, _spread(SIMEONI, inputs, n), {}, doses, ("w", "c"))


def repressilator(n: int) -> Problem:
    inputs = ("alpha", "alpha0", "beta")
    states = ("m1", "m2", "m3", "p1", "p2", "p3")
    return Problem("repressilator", REPRESSILATOR, inputs, _spread(REPRESSILATOR, inputs, n), {}, (), states)


def own(n: int) -> Problem:
    """Nivolumab 360 mg every 3 weeks, ipilimumab 1 mg/kg every 6, four cycles of cisplatin and pemetrexed; first line."""
    from mesotrial.biology import assemble
    from mesotrial.catalogue import load_design, load_drug
    from mesotrial.engine import compile_model
    from mesotrial.population import draw_cohort, load_parameters

    drugs = [load_drug(name) for name in ("nivolumab", "ipilimumab", "cisplatin", "pemetrexed")]
    assembly = assemble(drugs)
    design = load_design("ind227")
    cohort = draw_cohort(
        design.population,
        [load_parameters("fitted")],
        drugs,
        line="first",
        seed=1,
        replicate=0,
        numbers=np.arange(n),
    )
    flags = {
        "nivolumab_any_ipilimumab": 1.0,
        "nivolumab_with_chemotherapy": 1.0,
        "ipilimumab_with_nivolumab": 1.0,
    }
    inputs = ("tumour_clock", *cohort.inputs, *(flag for some in assembly.flags.values() for flag in some))
    columns = {**cohort.inputs, **{name: np.full(n, value) for name, value in flags.items()}}
    table = np.stack([columns.get(name, np.zeros(n)) for name in inputs], axis=1)
    body = cohort.covariates
    plan = (
        ("nivolumab", np.full(n, 360.0), 30, range(0, 364, 21)),
        ("ipilimumab", 1.0 * body["weight_kg"], 30, range(0, 364, 42)),
        ("cisplatin", 75.0 * body["bsa_m2"], 120, range(0, 84, 21)),
        ("pemetrexed", 500.0 * body["bsa_m2"], 10, range(0, 84, 21)),
    )
    # What no observable depends on is not dosed, so that it costs the rivals nothing either.
    enters = {"cisplatin": "cisplatin_effect_amount", "pemetrexed": "pemetrexed_effect_amount"}
    doses = tuple(
        (float(day), enters.get(drug, f"{drug}_central"), amount, minutes / 1440)
        for drug, amount, minutes, days in plan
        for day in days
    )
    observables = ("tumour_volume", "growth_smoothed", "nivolumab_concentration", "ipilimumab_concentration")
    dosed = tuple(dict.fromkeys(state for _, state, _, _ in doses))
    settled = ("cd8_circulating", "cd8_tumour", "cd8_exhausted", "antigen")
    simulator = compile_model(assembly.sbml, observables=(*observables, *settled), inputs=inputs, dosed=dosed)
    initial = simulator.observe(simulator.advance(simulator.start(table), until=150.0), settled)
    table[:, 0] = 1.0
    return Problem("mesothelioma", assembly.antimony, inputs, table, initial, doses, observables)


def _spread(text: str, inputs: tuple[str, ...], n: int) -> np.ndarray:
    from mesotrial.engine import load_model

    values = np.array([load_model(text).constants[name] for name in inputs])
    return values * np.exp(np.random.default_rng(1).normal(0, 0.2, (n, len(inputs))))
