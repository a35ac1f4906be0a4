"""Ways of acting: PD-L1 antibodies, blockade of vessels, cytotoxics with and without a plasma level, and what they cost where nobody uses them."""

import itertools

import numpy as np
import pytest

from mesotrial.biology import assemble
from mesotrial.catalogue import find, load_design, load_drug, names
from mesotrial.engine import Doses, compile_model, load_model, unit_warnings
from mesotrial.population import load_parameters
from mesotrial.trial import build_model

DRUGS = ["nivolumab", "pembrolizumab", "atezolizumab", "avelumab", "durvalumab", "ipilimumab", "tremelimumab", "bevacizumab", "ramucirumab",
         "cisplatin", "carboplatin", "pemetrexed", "gemcitabine", "vinorelbine", "mitomycin", "vinblastine"]  # fmt: skip
# Looked at in test_mechanisms.py.
EXPLORED = ["cemiplimab", "amatuximab", "convalescent serum", "aldesleukin", "interferon alfa-2b", "interferon gamma-1b", "mesopher", "galinpepimut-s",
            "crs-207", "mesothelin CAR-T", "tumour-infiltrating lymphocytes", "cyclophosphamide", "thalidomide", "lenalidomide", "pomalidomide", "BCG",
            "imiquimod", "oncos-102", "hsv1716", "rad-ifn", "surgery", "radiation"]  # fmt: skip
# One drug of each way of acting and of each form of pharmacokinetics.
WAYS = ("nivolumab", "pembrolizumab", "avelumab", "ipilimumab", "bevacizumab", "gemcitabine", "vinorelbine")


def test_every_drug_is_looked_at_here():
    assert {*DRUGS, *EXPLORED, "placebo"} == {name for name in names("drug") if find(name).runnable}


@pytest.mark.parametrize("drug", EXPLORED)
def test_units_of_every_other_mechanism_are_consistent(drug):
    assert unit_warnings(assemble([load_drug(drug)]).sbml) == []


@pytest.mark.parametrize(
    "drugs", [*((drug,) for drug in DRUGS), *itertools.combinations(WAYS, 2), tuple(DRUGS)], ids="+".join
)
def test_units_are_consistent_without_any_warning(drugs):
    assert unit_warnings(assemble([load_drug(drug) for drug in drugs]).sbml) == []


def _compiled(drugs, observables, inputs):
    model = assemble([load_drug(drug) for drug in drugs])
    dosed = [state for states in model.dosed.values() for state in states]
    return model, compile_model(load_model(model.sbml), observables=observables, inputs=inputs, dosed=dosed)


def _course(drugs, doses_mg, observables, *, priming=60.0, until=84.0, every=21.0):
    """Give each drug its dose every so many days and return the observables at the end."""
    model, simulator = _compiled(drugs, observables, ("priming_strength",))
    rows = [
        (day, state, mg)
        for drug, mg in zip(drugs, doses_mg, strict=True)
        for day in np.arange(0, until, every)
        for state in model.dosed[drug]
    ]
    day, state, amount = zip(*rows, strict=True)
    doses = Doses(
        np.zeros(len(rows), dtype=int),
        np.array(day),
        np.array(state, dtype=object),
        np.array(amount),
        np.zeros(len(rows)),
    )
    end = simulator.advance(simulator.start(np.array([[priming]])), until=until, doses=doses)
    return {name: value[0] for name, value in simulator.observe(end, observables).items()}


def test_an_unused_mechanism_costs_no_state():
    """MAPS2 needs the tumour, its T cells and antigen, the smoothed growth, and two antibodies of two compartments: nothing else."""
    simulator = build_model(load_design("maps2"), [load_parameters("fitted")]).simulator
    assert set(simulator.states) == {
        "tumour_sensitive", "tumour_escape", "tumour_dead", "cd8_circulating", "cd8_tumour", "cd8_exhausted", "antigen", "log_volume_smoothed",
        "nivolumab_central", "nivolumab_peripheral", "ipilimumab_central", "ipilimumab_peripheral",
    }  # fmt: skip


def test_receptor_and_ligand_are_blocked_independently():
    seen = ("pd1_free", "pdl1_free", "pd1_signal", "pdl1")
    receptor = _course(["nivolumab"], [240.0], seen)
    ligand = _course(["durvalumab"], [1500.0], seen)
    both = _course(["nivolumab", "durvalumab"], [240.0, 1500.0], seen)
    assert receptor["pdl1_free"] == 1.0 and ligand["pd1_free"] == 1.0
    assert receptor["pd1_free"] < 0.05 and ligand["pdl1_free"] < 0.05
    assert both["pd1_signal"] / both["pdl1"] == pytest.approx(receptor["pd1_free"] * ligand["pdl1_free"], rel=1e-6)


def test_a_pdl1_antibody_frees_costimulation_and_holds_the_tumour_back():
    seen = ("tumour_volume", "costimulation", "inhibition")
    treated, untreated = (_course(["avelumab"], [mg], seen, priming=300.0, every=14.0) for mg in (800.0, 0.0))
    assert treated["costimulation"] > untreated["costimulation"]
    assert treated["inhibition"] < untreated["inhibition"]
    assert treated["tumour_volume"] < untreated["tumour_volume"]


def test_blockade_of_vessels_slows_growth_and_kills_nothing():
    seen = ("tumour_volume", "death_sensitive", "vascular_support")
    treated, untreated = (_course(["bevacizumab"], [mg], seen, priming=0.0) for mg in (1100.0, 0.0))
    assert untreated["vascular_support"] == 1.0 and 0.5 < treated["vascular_support"] < 0.65
    assert treated["death_sensitive"] == untreated["death_sensitive"]
    growth, free_growth = (np.log(one["tumour_volume"] / 200.0) for one in (treated, untreated))
    assert 0.4 < growth / free_growth < 0.7


def test_growth_is_halved_at_most_however_much_is_given():
    seen = _course(["bevacizumab", "ramucirumab"], [1e6, 1e6], ("vascular_support",), priming=0.0)
    assert seen["vascular_support"] == pytest.approx(0.5, abs=1e-3)


def test_ramucirumab_troughs_are_those_of_the_label():
    """8 mg/kg every 2 weeks: 49.5 mg/L before the fourth and 74.4 mg/L before the seventh dose, geometric means of a wide range; 70 kg here."""
    third, sixth = (
        _course(["ramucirumab"], [560.0], ("ramucirumab_concentration",), until=until, every=14.0)[
            "ramucirumab_concentration"
        ]
        for until in (42.0, 84.0)
    )
    assert third == pytest.approx(49.5, rel=0.5) and sixth == pytest.approx(74.4, rel=0.3)


@pytest.mark.parametrize(
    ("drug", "mg_per_m2", "share"),
    [
        ("cisplatin", 75, 0.5),
        ("gemcitabine", 1000, 0.187),
        ("vinorelbine", 30, 0.187),
        ("mitomycin", 6, 0.083),
        ("vinblastine", 6, 0.083),
    ],
)
def test_a_reference_dose_brings_its_share_of_a_cycle(drug, mg_per_m2, share):
    """In the reference patient, 1.9 m2 and 80 mL/min."""
    model, simulator = _compiled([drug], ["cytotoxic_effect"], ("bsa_m2", "egfr_ml_per_min"))
    states = np.array(model.dosed[drug], dtype=object)
    n = len(states)
    doses = Doses(np.zeros(n, dtype=int), np.zeros(n), states, np.full(n, mg_per_m2 * 1.9), np.zeros(n))
    end = simulator.advance(simulator.start(np.array([[1.9, 80.0]])), until=1e-6, doses=doses)
    assert simulator.observe(end, ["cytotoxic_effect"])["cytotoxic_effect"][0] == pytest.approx(share, rel=0.02)


def test_a_drug_without_a_plasma_level_acts_by_its_dose_per_m2():
    model, simulator = _compiled(["vinorelbine"], ["cytotoxic_effect"], ("bsa_m2",))
    assert model.concentrations == {} and model.dosed == {"vinorelbine": ("vinorelbine_effect_amount",)}
    state = np.array(["vinorelbine_effect_amount"] * 2, dtype=object)
    doses = Doses(np.array([0, 1]), np.zeros(2), state, np.array([45.0, 66.0]), np.zeros(2))
    end = simulator.advance(simulator.start(np.array([[1.5], [2.2]])), until=1.0, doses=doses)
    small, large = simulator.observe(end, ["cytotoxic_effect"])["cytotoxic_effect"]
    assert small == pytest.approx(large)
