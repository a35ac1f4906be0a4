"""One virtual patient, integrated at once: what tumour, T cells, checkpoints and drugs do under a treatment that may be stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mesotrial.biology import Assembly
    from mesotrial.catalogue import Design, Drug, Regimen
    from mesotrial.engine import Simulator

__all__ = ["Case", "base_design", "medians", "prepare", "sensitivity", "simulate_case"]

_RUN_IN_DAYS, _SCAN_EVERY_DAYS, _STEP_DAYS = 150.0, 42.0, 3.0
_DAYS_PER_MONTH = 30.4375
_IMMUNE = ("cd8_circulating", "cd8_tumour", "cd8_exhausted", "antigen")
_SEEN = ("tumour_volume", *_IMMUNE, "pdl1", "inhibition")
_BASES = {"first": "checkmate743", "relapsed": "maps2"}
_NUDGE = 0.5  # of a standard deviation between patients, or of the log where there is none


@dataclass(frozen=True)
class Case:
    """A patient and a treatment. `values` replace the typical patient's model inputs; `dose` and `interval` multiply those of the regimens."""

    treatment: str = ""
    line: str = "first"
    histology: str = "epithelioid"
    dose: float = 1.0
    interval: float = 1.0
    stop_month: float = 24.0
    months: float = 36.0
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Compiled:
    drugs: tuple[Drug, ...]
    assembly: Assembly
    simulator: Simulator
    seen: tuple[str, ...]


def prepare(drugs: tuple[str, ...], line: str) -> None:
    """Compile the model of these drugs, so that it is found on the disk."""
    _compiled(drugs, line)


def medians(line: str, histology: str) -> dict[str, float]:
    """Return the model inputs of the typical patient of a group."""
    from mesotrial.population import load_parameters

    groups = {"relapsed": line == "relapsed", "non_epithelioid": histology != "epithelioid"}
    found = {}
    for name, one in load_parameters().distributions.items():
        odds = one.median / (1 - one.median) if one.scale == "logit" else one.median
        for group, factor in one.factors.items():
            odds *= factor if groups.get(group) else 1.0
        found[name] = odds / (1 + odds) if one.scale == "logit" else odds
    return found


def simulate_case(case: Case) -> dict[str, Any]:
    """Return the course of a case as plain numbers: days, series by name, doses, scans with what RECIST calls them.

    Volumes are in mL, T cells in millions, concentrations in mg/L; PD-L1 and the brake are relative. Raises `CatalogueError` for a treatment that
    cannot be read.
    """
    regimens, drugs = _treatment(case.treatment)
    model = _compiled(drugs, case.line)
    table = _inputs(case, model, regimens)
    course = _course(case, model, regimens, table[None, :])
    return _answer(case, model, regimens, course)


def sensitivity(case: Case) -> list[dict[str, Any]]:
    """Return how the tumour's volume after a year answers to each input of the population, half a standard deviation down and up.

    Sorted by the larger effect; where patients do not differ in an input, it is moved by half a unit of its log.
    """
    import numpy as np

    from mesotrial.population import load_parameters

    regimens, drugs = _treatment(case.treatment)
    model = _compiled(drugs, case.line)
    base = _inputs(case, model, regimens)
    distributions = load_parameters().distributions
    names = [name for name in distributions if name in model.simulator.inputs]
    rows = [base]
    for name in names:
        place, one = model.simulator.inputs.index(name), distributions[name]
        step = _NUDGE * (one.sd or 1.0)
        for way in (-step, step):
            row = base.copy()
            value = base[place]
            odds = (value / (1 - value) if one.scale == "logit" else value) * np.exp(way)
            row[place] = odds / (1 + odds) if one.scale == "logit" else odds
            rows.append(row)
    course = _course(case, model, regimens, np.array(rows))
    after = course["tumour_volume"][:, np.searchsorted(course["day"][0], 365.0)]
    change = 100 * (after / after[0] - 1)
    found = [
        {
            "name": name,
            "down": float(change[1 + 2 * i]),
            "up": float(change[2 + 2 * i]),
            "status": distributions[name].status,
        }
        for i, name in enumerate(names)
    ]
    return sorted(found, key=lambda one: -max(abs(one["down"]), abs(one["up"])))


def base_design(line: str) -> Design:
    """Return the trial whose typical patient stands for a line of treatment."""
    from mesotrial.catalogue import load_design

    return load_design(_BASES[line])


def _treatment(text: str) -> tuple[tuple[Regimen, ...], tuple[str, ...]]:
    if not text:
        return (), ()
    from mesotrial.catalogue import therapy_from_text

    therapy = therapy_from_text(text)
    return therapy.regimens, tuple(sorted(therapy.drugs))


@lru_cache(maxsize=24)
def _compiled(drugs: tuple[str, ...], line: str) -> _Compiled:
    from mesotrial.biology import assemble
    from mesotrial.catalogue import load_drug
    from mesotrial.engine import compile_model

    loaded = tuple(load_drug(name) for name in drugs)
    assembly = assemble(loaded)
    flags = [flag for names in assembly.flags.values() for flag in names]
    factors = [f"translation_{name}" for name in assembly.translation]
    seen = (*_SEEN, *assembly.concentrations.values())
    simulator = compile_model(
        assembly.sbml,
        observables=seen,
        inputs=("tumour_clock", *_person(loaded, line), *flags, *factors),
        dosed=tuple(state for states in assembly.dosed.values() for state in states),
        rtol=1e-5,
        threads=1,
    )
    return _Compiled(loaded, assembly, simulator, seen)


def _person(drugs: Sequence[Drug], line: str) -> dict[str, float]:
    """Return the model inputs of a typical person of the base trial: medians of what is measured, no random effects."""
    import numpy as np

    from mesotrial.population import draw_cohort, load_parameters

    population = base_design(line).population
    measured = ("age_years", "weight_kg", "height_cm", "albumin_g_per_l", "ldh_u_per_l", "egfr_ml_per_min")
    cohort = draw_cohort(
        population,
        [load_parameters("typical")],
        drugs,
        line=line,
        seed=0,
        replicate=0,
        numbers=np.arange(1),
        given={name: getattr(population, name).median for name in measured},
    )
    return {name: float(values[0]) for name, values in cohort.inputs.items()}


def _inputs(case: Case, model: _Compiled, regimens: Sequence[Regimen]) -> NDArray[np.float64]:
    import numpy as np

    person = _person(model.drugs, case.line) | medians(case.line, case.histology)
    person |= {"female": 0.0, "ecog_ge1": 1.0}
    person |= {f"translation_{one.name}": one.middle for drug in model.drugs if (one := drug.translation) is not None}
    person |= {name: value for name, value in case.values.items() if name in person}
    for drug in model.drugs:
        if drug.pk is not None:
            person |= {f"{drug.symbol}_{flag.name}": float(flag.holds(regimens)) for flag in drug.pk.flags}
    return np.array([person.get(name, 0.0) for name in model.simulator.inputs])


def _course(
    case: Case, model: _Compiled, regimens: Sequence[Regimen], table: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Integrate every row of `table`; the immune system settles beside a tumour held still before day 0, as in a trial."""
    import numpy as np

    simulator, clock = model.simulator, model.simulator.inputs.index("tumour_clock")
    table = table.copy()
    table[:, clock] = 0.0
    settled = simulator.advance(simulator.start(table), until=_RUN_IN_DAYS)
    table[:, clock] = 1.0
    state = simulator.start(table, initial=simulator.observe(settled, _IMMUNE))
    day = np.arange(_STEP_DAYS, case.months * _DAYS_PER_MONTH, _STEP_DAYS)
    first = simulator.observe(state, model.seen)
    state = simulator.advance(state, until=float(day[-1]), doses=_doses(case, model, regimens, len(table)), save_at=day)
    found = simulator.observe_saved(state, model.seen)
    course = {name: np.concatenate([first[name][:, None], found[name]], axis=1) for name in model.seen}
    return course | {"day": np.broadcast_to(np.concatenate([[0.0], day]), (len(table), len(day) + 1))}


def _dose_days(case: Case, regimen: Regimen) -> list[float]:
    until = min(case.stop_month, case.months) * _DAYS_PER_MONTH
    return [
        day * case.interval
        for day in regimen.dose_days(until / min(case.interval, 1.0) + 1.0)
        if day * case.interval < until
    ]


def _doses(case: Case, model: _Compiled, regimens: Sequence[Regimen], patients: int) -> Any:
    import numpy as np

    from mesotrial.engine import Doses
    from mesotrial.trial.dosing import body_surface_m2, dose_amount

    population = base_design(case.line).population
    measured = {
        name: np.array([getattr(population, name).median]) for name in ("weight_kg", "height_cm", "egfr_ml_per_min")
    }
    measured["bsa_m2"] = body_surface_m2(measured["weight_kg"], measured["height_cm"])
    rows = [
        (patient, day, name, case.dose * float(dose_amount(regimen, measured)[0]), regimen.infusion_minutes / 1440.0)
        for regimen in regimens
        for day in _dose_days(case, regimen)
        for name in model.assembly.enters(regimen.drug, regimen.route)
        for patient in range(patients)
    ]
    if not rows:
        return None
    who, when, where, amount, duration = zip(*rows, strict=True)
    return Doses(who, when, list(where), amount, duration)


def _answer(
    case: Case, model: _Compiled, regimens: Sequence[Regimen], course: Mapping[str, NDArray[np.float64]]
) -> dict[str, Any]:
    import numpy as np

    def rounded(values: NDArray[np.float64]) -> list[float | None]:
        return [None if not np.isfinite(value) else float(f"{value:.4g}") for value in values]

    series = {name: rounded(course[name][0]) for name in model.seen if name not in ("antigen", "cd8_circulating")}
    levels = {drug: series.pop(name) for drug, name in model.assembly.concentrations.items() if name in series}
    return {
        "day": [float(day) for day in course["day"][0]],
        "series": series,
        "levels": levels,
        "doses": [
            {"drug": regimen.drug, "text": regimen.text, "days": [round(day, 1) for day in _dose_days(case, regimen)]}
            for regimen in regimens
        ],
        "scans": _scans(course["day"][0], course["tumour_volume"][0]),
        "stop_day": min(case.stop_month, case.months) * _DAYS_PER_MONTH,
    }


def _scans(day: NDArray[np.float64], volume: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Read a scan every six weeks until progression, by modified RECIST and without error of the reader."""
    import numpy as np

    from mesotrial.population import load_parameters
    from mesotrial.trial.recist import CODES, Response, measured_sum_mm

    readout = load_parameters().readout
    geometry = np.array([(readout["geometry_low"] + readout["geometry_high"]) / 2])
    nothing, clear, row = np.zeros(1), np.zeros(1, dtype=bool), np.zeros(1, dtype=np.int64)
    baseline = measured_sum_mm(volume[:1], geometry, nothing)
    response = Response(baseline, "mRECIST", confirmation=False)
    scans = [{"day": 0.0, "sum_mm": round(float(baseline[0]), 1), "change": 0, "code": "BL"}]
    for when in np.arange(_SCAN_EVERY_DAYS, day[-1], _SCAN_EVERY_DAYS):
        total = measured_sum_mm(np.array([np.interp(when, day, volume)]), geometry, nothing)
        if not np.isfinite(total[0]):
            break
        code = CODES[int(response.read(row, np.array([when]), total, clear)[0])]
        change = round(100 * float(total[0] / baseline[0] - 1))
        scans.append({"day": float(when), "sum_mm": round(float(total[0]), 1), "change": change, "code": code})
        if code == "PD":
            break
    return scans
