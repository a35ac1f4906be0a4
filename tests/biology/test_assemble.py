"""The assembled model: units, sources, other simulators, pharmacokinetics against labels."""

import re
import warnings
from importlib.resources import files

import numpy as np
import pytest

from mesotrial.biology import assemble
from mesotrial.catalogue import load_drug
from mesotrial.engine import Doses, compile_model, load_model, unit_warnings

DRUGS = ("nivolumab", "ipilimumab", "tremelimumab", "cisplatin", "carboplatin", "pemetrexed")


@pytest.fixture(scope="module")
def everything():
    return assemble([load_drug(name) for name in DRUGS])


@pytest.mark.parametrize("drugs", [(), ("nivolumab",), ("nivolumab", "ipilimumab"), DRUGS])
def test_units_are_consistent_without_any_warning(drugs):
    assert unit_warnings(assemble([load_drug(name) for name in drugs]).sbml) == []


def test_every_number_in_the_mechanisms_has_a_source_or_says_guess():
    for folder in ("mechanisms", "pharmacokinetics"):
        for path in (files("mesotrial.biology") / folder).iterdir():
            for line in path.read_text(encoding="utf-8").splitlines():
                value = re.match(r"const (\w|\$)+ = ([\d.eE+-]+)", line)
                if value and path.name != "covariates.ant" and float(value[2]) not in (0.0, 1.0):
                    assert "//" in line, f"{path.name}: {line}"


def test_placebo_adds_nothing():
    assert assemble([load_drug("placebo")]).antimony == assemble().antimony


def test_terms_of_two_drugs_add_up(everything):
    assert (
        "cytotoxic_effect := cisplatin_share * cisplatin_exposure + carboplatin_share * carboplatin_exposure"
        in everything.antimony
    )
    assert "ctla4_blockade := ipilimumab_concentration / ipilimumab_EC50_ctla4 + tremelimumab" in everything.antimony


def _roadrunner(sbml, values):
    import libsbml

    document = libsbml.readSBMLFromString(sbml)
    for name, value in values.items():
        document.getModel().getParameter(name).setValue(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import roadrunner
    runner = roadrunner.RoadRunner(libsbml.writeSBMLToString(document))
    runner.integrator.absolute_tolerance = 1e-14
    runner.integrator.relative_tolerance = 1e-11
    return runner


def test_libroadrunner_agrees_to_one_part_in_a_million(everything):
    observables = ["tumour_volume", "tumour_escape", "tumour_dead", "cd8_circulating", "cd8_tumour", "cd8_exhausted", "antigen", "growth_smoothed",
                   "cytotoxic_resistance", *everything.concentrations.values()]  # fmt: skip
    inputs = {
        "priming_strength": 300.0,
        "growth_rate": 0.006,
        "weight_kg": 91.0,
        "ecog_ge1": 1.0,
        "female": 1.0,
        "nivolumab_CL_eta": 0.3,
    }
    given = [
        ("nivolumab", 240.0, 0.0),
        ("ipilimumab", 80.0, 0.0),
        ("cisplatin", 140.0, 21.0),
        ("pemetrexed", 900.0, 21.0),
        ("nivolumab", 240.0, 14.0),
    ]
    day = [0.5, 10.0, 14.0, 21.25, 30.0, 90.0, 400.0]

    runner = _roadrunner(everything.sbml, inputs)
    runner.timeCourseSelections = observables
    expected, now = [], 0.0
    pending = sorted(given, key=lambda dose: dose[2])
    for until in sorted({*day, *(when for _, _, when in given)}):
        if until > now:
            result = runner.simulate(now, until, 2)[-1]
            if until in day:
                expected.append(np.array(result))
            now = until
        while pending and pending[0][2] == until:
            drug, amount, _ = pending.pop(0)
            for state in everything.dosed[drug]:
                runner[state] = runner[state] + amount

    simulator = compile_model(
        load_model(everything.sbml), observables=observables, inputs=tuple(inputs),
        dosed=[state for states in everything.dosed.values() for state in states], rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    rows = [(when, state, amount) for drug, amount, when in given for state in everything.dosed[drug]]
    doses = Doses(
        np.zeros(len(rows), dtype=int), np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=object),
        np.array([row[2] for row in rows]), np.zeros(len(rows)),
    )  # fmt: skip
    state = simulator.advance(
        simulator.start(np.array([list(inputs.values())])), until=400.0, doses=doses, save_at=np.array(day)
    )
    seen = simulator.observe_saved(state, observables)
    for place, name in enumerate(observables):
        theirs = np.array([row[place] for row in expected])
        ours = seen[name][0].copy()
        if 14.0 in day:  # libRoadRunner was read before the dose of that day, ours after it
            keep = [when != 14.0 for when in day]
            ours, theirs = ours[keep], theirs[keep]
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9 * max(1.0, np.abs(theirs).max()), err_msg=name)


def _concentration(drug, amount_mg, times_day, inputs, save_at, infusion_day=1 / 24, also=()):
    model = assemble([load_drug(drug), *map(load_drug, also)])
    name = model.concentrations[drug]
    simulator = compile_model(load_model(model.sbml), observables=[name], inputs=tuple(inputs), dosed=model.dosed[drug])
    n = len(times_day)
    doses = Doses(np.zeros(n, dtype=int), np.asarray(times_day, dtype=float), np.array([f"{drug}_central"] * n, dtype=object),
                  np.full(n, amount_mg), np.full(n, infusion_day))  # fmt: skip
    state = simulator.start(np.array([list(inputs.values())]))
    state = simulator.advance(state, until=float(max(save_at)), doses=doses, save_at=np.asarray(save_at, dtype=float))
    return simulator.observe_saved(state, [name])[name][0]


# Label half-lives in days (terminal, at steady state); the reference person of each population model.
@pytest.mark.parametrize(
    ("drug", "dose_mg", "every", "label", "span"),
    [
        ("nivolumab", 240.0, 14, 25.0, (60, 120)),
        ("ipilimumab", 240.0, 21, 15.4, (40, 80)),
        ("pemetrexed", 950.0, 21, 3.5 / 24, (0.8, 1.2)),
    ],
)
def test_half_life_is_within_15_percent_of_the_label(drug, dose_mg, every, label, span):
    times = np.arange(0, 365, every) if every < 30 else [0]
    last = float(max(times))
    first, second = _concentration(drug, dose_mg, times, {"weight_kg": 80.0}, [last + span[0], last + span[1]])
    half_life = np.log(2) * (span[1] - span[0]) / np.log(first / second)
    assert half_life == pytest.approx(label, rel=0.15)


def test_nivolumab_concentrations_with_ipilimumab():
    """Trough of 3 mg/kg every 2 weeks with ipilimumab 1 mg/kg every 6: about 58 mg/L for 80 kg by the same models computed independently."""
    flags = {"weight_kg": 80.0, "nivolumab_ipilimumab_1mgkg_q6w": 1.0, "nivolumab_any_ipilimumab": 1.0}
    (trough,) = _concentration("nivolumab", 240.0, np.arange(0, 378, 14), flags, [377.99])
    assert trough == pytest.approx(58.0, rel=0.03)


def test_pembrolizumab_like_flatness_of_pd1_blockade():
    """A tenth of the nivolumab dose still blocks PD-1 by nine tenths or more: exposure-response is flat at clinical dose."""
    (trough,) = _concentration("nivolumab", 24.0, np.arange(0, 364, 14), {"weight_kg": 80.0}, [363.99])
    ec50 = load_drug("nivolumab").effects[0].ec50_mg_per_l
    assert trough / (trough + ec50) > 0.9
