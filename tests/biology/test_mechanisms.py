"""Laws and directions of every mechanism beyond T cells, chemotherapy and vessels: one compiled model of many drugs, shared by all tests."""

from types import SimpleNamespace

import numpy as np
import pytest

from mesotrial.biology import assemble
from mesotrial.catalogue import load_drug
from mesotrial.engine import Doses, compile_model

DRUGS = ["amatuximab", "aldesleukin", "interferon alfa-2b", "interferon gamma-1b", "galinpepimut-s", "mesothelin CAR-T", "cyclophosphamide", "lenalidomide",
         "imiquimod", "hsv1716", "rad-ifn", "surgery", "radiation", "ipilimumab", "tremelimumab", "nivolumab", "gemcitabine"]  # fmt: skip
SEEN = ["tumour_volume", "tumour_live", "tumour_dead", "tumour_sensitive", "tumour_escape", "cd8_tumour", "cd8_exhausted", "cd8_circulating", "priming",
        "inhibition", "regulatory", "regulatory_depleted", "nk_excess", "innate", "myeloid", "memory", "lymphodepleted", "treatment_hazard", "risk_volume",
        "growth_smoothed", "stroma_left", "pdl1", "nk_kill", "immune_kill", "mesothelin_CAR_T_blood", "mesothelin_CAR_T_tumour", "mesothelin_CAR_T_memory",
        "mesothelin_CAR_T_kill", "hsv1716_virus", "hsv1716_infected", "hsv1716_antibody", "rad_ifn_virus"]  # fmt: skip
STATES = [name for name in SEEN if name not in ("growth_smoothed", "nk_excess")]


@pytest.fixture(scope="module")
def world():
    model = assemble([load_drug(name) for name in DRUGS])
    inputs = ("initial_volume", "priming_strength", *(f"translation_{name}" for name in model.translation))
    inputs += (
        "adoptive_support_alone",
        "mesothelin_CAR_T_INFILTRATION_typical",
        "mesothelin_CAR_T_TARGET_typical",
        "escape_fraction",
        "stroma_fraction",
    )
    simulator = compile_model(
        model.sbml, observables=SEEN, inputs=inputs, dosed=[s for states in model.dosed.values() for s in states]
    )
    usual = {"initial_volume": 200.0, "priming_strength": 100.0, "escape_fraction": 0.01, "stroma_fraction": 0.12}
    usual |= {
        "adoptive_support_alone": 0.2,
        "mesothelin_CAR_T_INFILTRATION_typical": 0.00014,
        "mesothelin_CAR_T_TARGET_typical": 0.8,
    }
    usual |= {f"translation_{name}": 1.0 for name in model.translation}
    return SimpleNamespace(model=model, simulator=simulator, inputs=inputs, usual=usual)


def course(world, *given, day=(84.0,), **inputs):
    """Give (drug, route, amount, day) and return each observable at the days, (n_days,)."""
    columns = world.usual | inputs
    rows = [(when, state, amount) for drug, route, amount, when in given for state in world.model.enters(drug, route)]
    doses = None
    if rows:
        times, states, amounts = zip(*rows, strict=True)
        doses = Doses(np.zeros(len(rows), dtype=int), np.array(times, float), list(states), np.array(amounts, float))
    state = world.simulator.start(np.array([[columns[name] for name in world.inputs]]))
    state = world.simulator.advance(state, until=max(day), doses=doses, save_at=np.array(day, float))
    assert (state.code == 0).all()
    seen = world.simulator.observe_saved(state, SEEN)
    return SimpleNamespace(**{name: seen[name][0] for name in SEEN})


def times(drug, route, amount, *days):
    return [(drug, route, amount, day) for day in days]


# One strong course of each; None by topical, which must not reach the tumour.
COURSES = {
    "amatuximab": times("amatuximab", "IV", 400.0, *range(0, 84, 7)),
    "aldesleukin": times("aldesleukin", "intrapleural", 9.0, *range(0, 84, 4)),
    "interferon alfa-2b": times("interferon alfa-2b", "SC", 9.0, *range(0, 84, 2)),
    "interferon gamma-1b": times("interferon gamma-1b", "intrapleural", 40.0, *range(0, 84, 4)),
    "galinpepimut-s": times("galinpepimut-s", "SC", 0.8, *range(0, 84, 14)),
    "mesothelin CAR-T": times("mesothelin CAR-T", "intrapleural", 100.0, 0.0),
    "lenalidomide": times("lenalidomide", "PO", 25.0, *range(84)),
    "imiquimod": times("imiquimod", "intratumoural", 12.5, *range(0, 84, 2)),
    "hsv1716": times("hsv1716", "intrapleural", 10.0, 0, 7, 14, 21),
    "rad-ifn": times("rad-ifn", "intrapleural", 3e5, 0, 3),
    "radiation": times("radiation", "external beam", 3.0, 0, 1, 2, 3, 4, 7, 8, 9, 10, 11),
    "surgery": times("surgery", "operation", -np.log(0.05), 7.0),
}


@pytest.mark.parametrize("drug", COURSES)
def test_it_holds_the_tumour_back_and_by_its_translation_factor(world, drug):
    factor = f"translation_{load_drug(drug).translation.name}"
    treated, untreated = course(world, *COURSES[drug]), course(world)
    assert treated.tumour_volume[-1] < 0.999 * untreated.tumour_volume[-1]
    if drug != "surgery":  # what is cut out is gone; the factor says what of it counts
        none = course(world, *COURSES[drug], **{factor: 0.0})
        half = course(world, *COURSES[drug], **{factor: 0.5})
        assert treated.tumour_volume[-1] < half.tumour_volume[-1] < none.tumour_volume[-1]
        assert none.tumour_volume[-1] >= (1 - 1e-9) * untreated.tumour_volume[-1]


def test_no_drug_no_effect(world):
    """With every mechanism in the model and nothing given, the tumour grows as in the model that has none of them."""
    bare = compile_model(
        assemble().sbml, observables=["tumour_volume", "cd8_tumour"], inputs=list(world.usual)[:4], backend="reference"
    )
    state = bare.advance(bare.start(np.array([[world.usual[name] for name in bare.inputs]])), until=84.0)
    alone, untreated = bare.observe(state, ["tumour_volume", "cd8_tumour"]), course(world)
    assert alone["tumour_volume"][0] == pytest.approx(untreated.tumour_volume[0], rel=1e-4)
    assert alone["cd8_tumour"][0] == pytest.approx(untreated.cd8_tumour[0], rel=1e-3)


@pytest.mark.parametrize("cells", [1.0, 1e3, 1e6, 1e9, 1e12])
def test_states_stay_sound_from_one_cell_to_1e12(world, cells):
    everything = [dose for doses in COURSES.values() for dose in doses]
    volume = cells / 2e8  # live cells are a share of it
    days = np.arange(1.0, 400.0, 7.0)
    seen = course(world, *everything, day=days, initial_volume=volume)
    for name in STATES:
        values = getattr(seen, name)
        scale = max(1.0, np.abs(values).max())
        assert np.isfinite(values).all() and values.min() >= -1e-5 * scale, (name, values.min())
    assert (seen.tumour_volume > 0).all() and seen.tumour_live.max() <= 3000.0


def test_amatuximab_is_held_by_its_target():
    """A small dose is gone sooner, share by share, than a large one: the target saturates (Gupta 2016)."""
    model = assemble([load_drug("amatuximab")])
    simulator = compile_model(
        model.sbml, observables=["amatuximab_concentration"], dosed=model.dosed["amatuximab"], backend="reference"
    )
    left = []
    for dose in (10.0, 1000.0):
        state = simulator.advance(
            simulator.start(np.empty((1, 0))),
            until=7.0,
            doses=Doses(np.zeros(1, int), np.zeros(1), "amatuximab_central", np.array([dose])),
        )
        left.append(simulator.observe(state, ["amatuximab_concentration"])["amatuximab_concentration"][0] / dose)
    assert left[0] < 0.5 * left[1]


def test_antibody_marks_cells_for_nk_cells_and_no_more_without_it(world):
    treated = course(world, *COURSES["amatuximab"], day=(70.0, 400.0))
    assert 0.005 < treated.nk_kill[0] < 0.02 and treated.nk_kill[1] < 1e-4


def test_low_dose_interleukin_2_feeds_regulatory_cells_and_high_dose_drives_effectors(world):
    none = course(world, day=(28.0,))
    low = course(world, *times("aldesleukin", "SC", 1.0, *range(28)), day=(28.0,))
    high = course(world, *times("aldesleukin", "IV", 48.0, *np.arange(0, 28, 1 / 3)), day=(28.0,))
    assert low.regulatory[0] > 2.0 and low.priming[0] < 1.1 * none.priming[0]
    assert low.immune_kill[0] < none.immune_kill[0]
    assert high.priming[0] > 2.0 * none.priming[0] and high.nk_excess[0] > 0.5 > 0.1 > low.nk_excess[0]


def test_igg1_depletes_regulatory_cells_and_igg2_does_not(world):
    igg1 = course(world, *times("ipilimumab", "IV", 240.0, 0, 21, 42, 63))
    igg2 = course(world, *times("tremelimumab", "IV", 800.0, 0, 28, 56))
    assert igg1.regulatory[-1] < 0.75 and igg2.regulatory[-1] == 1.0
    # The fitted effect of CTLA-4 blockade holds its benefit: none is added.
    assert "regulatory_depletion_effect = 0 dimensionless" in world.model.antimony


def test_pd1_exposure_response_is_flat_and_ctla4_alone_is_weak(world):
    every = range(0, 84, 14)
    low, usual, high = (
        course(world, *times("nivolumab", "IV", mg, *every)).tumour_volume[-1] for mg in (80.0, 240.0, 800.0)
    )
    none = course(world).tumour_volume[-1]
    assert usual < 0.95 * none and abs(high - low) < 0.1 * (none - usual)
    ctla4 = times("ipilimumab", "IV", 80.0, 0, 42)
    alone = course(world, *ctla4).tumour_volume[-1]
    both = course(world, *ctla4, *times("nivolumab", "IV", 240.0, *every)).tumour_volume[-1]
    assert none - alone < 0.35 * (none - usual)
    assert usual - both > 0.02 * none


def test_peptide_dose_response_is_bell_shaped(world):
    doses = (0.01, 0.3, 1.0, 30.0)
    gain = [course(world, *times("galinpepimut-s", "SC", mg, 0, 14, 28), day=(42.0,)).priming[0] for mg in doses]
    none = course(world, day=(42.0,)).priming[0]
    assert max(gain) in gain[1:3] and none < gain[0] < gain[1] and gain[3] < 0.5 * (max(gain) - none) + none


def test_a_vaccine_leaves_memory_that_lasts(world):
    seen = course(world, *COURSES["galinpepimut-s"], day=(84.0, 184.0))
    assert seen.memory[0] > 0 and 0.2 < seen.memory[1] / seen.memory[0] < 1.0


def test_imiquimod_acts_only_where_it_is_applied(world):
    skin = course(world, *times("imiquimod", "topical", 12.5, *range(0, 84, 2)))
    none, inside = course(world), course(world, *COURSES["imiquimod"], day=(83.0,))
    assert skin.tumour_volume[-1] == pytest.approx(none.tumour_volume[-1], rel=1e-6) and skin.innate[-1] == 0.0
    assert inside.innate[0] > 0.3


def test_virus_grows_and_is_cleared_faster_the_second_time(world):
    days = np.arange(0.5, 120.0, 0.5)
    seen = course(world, *COURSES["hsv1716"][:1], day=days, translation_virus=0.3)
    assert 1.0 < days[seen.hsv1716_virus.argmax()] < 10.0 and seen.hsv1716_virus.max() > 1e3  # from 10 million given
    assert seen.hsv1716_infected[-1] < 1e-6  # and gone for good
    assert seen.hsv1716_antibody[days == 4.0] < 1.0 < 5.0 < seen.hsv1716_antibody[days == 28.0]
    first = course(world, ("hsv1716", "intrapleural", 10.0, 0.0), day=(0.0001, 1.0), translation_virus=0.0)
    again = course(
        world, *times("hsv1716", "intrapleural", 10.0, 0.0, 30.0), day=(29.9, 30.0001, 31.0), translation_virus=0.0
    )
    assert again.hsv1716_virus[2] / again.hsv1716_virus[1] < 0.1 * first.hsv1716_virus[1] / first.hsv1716_virus[0]
    assert again.hsv1716_antibody[0] > 1.0


def test_a_virus_takes_over_only_where_an_infected_cell_infects_more_than_one(world):
    """benefit * INFECTION * INFECTIOUS * BURST / clearance = benefit * 0.5 * 1 * 200 / 5 for HSV1716: one at 0.05."""
    for benefit, grows in ((0.02, False), (0.2, True)):
        virus = course(world, ("hsv1716", "intrapleural", 0.1, 0.0), day=(2.0, 4.0), translation_virus=benefit)
        assert (virus.hsv1716_virus[1] > virus.hsv1716_virus[0]) == grows


def test_a_gene_of_interferon_is_made_for_a_week_or_two_and_harms_no_cell(world):
    seen = course(world, *COURSES["rad-ifn"], day=(7.0, 14.0, 60.0), priming_strength=1e-6, stroma_fraction=1e-9)
    none = course(world, day=(7.0, 14.0, 60.0), priming_strength=1e-6, stroma_fraction=1e-9)
    assert seen.innate[0] > seen.innate[1] > 0.3 and seen.innate[2] < 1e-3
    assert seen.tumour_dead[0] == pytest.approx(none.tumour_dead[0], rel=0.02)


@pytest.mark.parametrize("drug", [name for name in COURSES if name != "surgery"])
def test_no_effect_is_practically_nothing_over_the_range_of_its_factor(world, drug):
    """Between the ends of the factor the tumour differs; by much, where a trial's dose meets its trial's preparation."""
    factor = load_drug(drug).translation
    prepared = {
        "mesothelin CAR-T": [("cyclophosphamide", "IV", 2850.0, 0.0), ("mesothelin CAR-T", "intrapleural", 800.0, 3.0)]
    }
    given = prepared.get(drug, COURSES[drug])
    low, high = (
        course(world, *given, **{f"translation_{factor.name}": end}).tumour_live[-1]
        for end in (factor.low, factor.high)
    )
    strong = drug in ("amatuximab", "mesothelin CAR-T", "hsv1716", "interferon gamma-1b", "radiation")
    assert high < (0.95 if strong else 0.998) * low


def test_the_factor_scales_an_effect_and_not_the_dose_that_it_takes(world):
    """At doses far above what half saturates, half the benefit is half the effect."""

    def effect(drug, benefit):
        factor = f"translation_{load_drug(drug).translation.name}"
        seen = course(world, *COURSES[drug], day=(77.0,), priming_strength=1e-6, **{factor: benefit})
        return seen.nk_kill[0] if drug == "amatuximab" else seen.pdl1[0] / 0.35 - 1.0

    for drug in ("amatuximab", "interferon gamma-1b"):
        assert effect(drug, 0.5) == pytest.approx(0.5 * effect(drug, 1.0), rel=0.03)


def test_car_t_cells_expand_contract_and_persist_at_published_rates(world):
    """Stein 2019: 3,900-fold by day 9.3, then 0.16 a day, and memory decays at 0.0032 a day. Full support and antigen, no traffic to a tumour."""
    full = {
        "adoptive_support_alone": 1.0,
        "mesothelin_CAR_T_INFILTRATION_typical": 0.0,
        "mesothelin_CAR_T_TARGET_typical": 1.0,
        "initial_volume": 3000.0,
        "stroma_fraction": 0.01,
    }
    days = (0.5, 5.0, 9.3, 20.0, 30.0)
    blood = course(world, ("mesothelin CAR-T", "IV", 1e-3, 0.0), day=days, **full).mesothelin_CAR_T_blood
    assert np.log(blood[1] / blood[0]) / 4.5 == pytest.approx(0.889, rel=0.03)
    assert blood[2] / 1e-3 == pytest.approx(3900, rel=0.5)
    assert np.log(blood[3] / blood[4]) / 10.0 == pytest.approx(0.16, rel=0.05)


def test_lymphodepletion_and_pd1_blockade_help_car_t_cells(world):
    cells = ("mesothelin CAR-T", "IV", 100.0, 5.0)
    room = ("cyclophosphamide", "IV", 2850.0, 0.0)
    alone = course(world, cells, day=(12.0,))
    prepared = course(world, room, cells, day=(12.0,))
    assert prepared.mesothelin_CAR_T_blood[0] > 2 * alone.mesothelin_CAR_T_blood[0]
    assert prepared.lymphodepleted[0] > 0.3 and prepared.regulatory[0] < 0.8 and prepared.myeloid[0] < 0.8
    anti = times("nivolumab", "IV", 240.0, 0, 14)
    assert course(world, cells, *anti, day=(20.0,)).mesothelin_CAR_T_kill[0] > course(world, cells, day=(20.0,)).mesothelin_CAR_T_kill[0]  # fmt: skip


def test_interferon_gamma_slows_growth_and_raises_pdl1(world):
    treated, none = (
        course(world, *COURSES["interferon gamma-1b"], priming_strength=1.0),
        course(world, priming_strength=1.0),
    )
    assert treated.pdl1[-1] > 2 * none.pdl1[-1]
    assert treated.tumour_volume[-1] < none.tumour_volume[-1]


def test_surgery_takes_its_share_and_no_scan_reads_it_as_shrinkage_of_risk(world):
    before, after = 6.99, 10.0
    seen = course(world, *COURSES["surgery"], day=(before, after), translation_surgery=0.0)
    assert seen.tumour_volume[1] / seen.tumour_volume[0] == pytest.approx(0.05, rel=0.05)
    assert seen.stroma_left[1] / seen.stroma_left[0] == pytest.approx(0.05, rel=0.01)
    assert seen.risk_volume[1] == pytest.approx(seen.risk_volume[0], rel=0.03)
    assert seen.growth_smoothed[1] > -0.003
    counts = course(world, *COURSES["surgery"], day=(after,), translation_surgery=1.0)
    assert counts.risk_volume[0] == pytest.approx(counts.tumour_volume[0], rel=1e-6)


def test_the_operation_kills_four_in_a_hundred_at_once_and_nine_within_90_days(world):
    days = np.linspace(7.0, 187.0, 1801)
    hazard = course(world, *COURSES["surgery"], day=days).treatment_hazard
    total = np.concatenate([[0.0], np.cumsum(0.5 * (hazard[1:] + hazard[:-1]) * np.diff(days))])
    assert 1 - np.exp(-np.interp(37.0, days, total)) == pytest.approx(0.06, abs=0.02)
    assert 1 - np.exp(-np.interp(97.0, days, total)) == pytest.approx(0.09, abs=0.02)


def test_radiation_is_linear_quadratic_with_repair(world):
    """Log kill of one fraction of d Gy is alpha d + beta d^2 in the field; ten fractions of 3 Gy beat six of 3 Gy."""
    quiet = {"priming_strength": 1e-6, "stroma_fraction": 1e-9, "translation_radiation": 1.0}

    def log_kill(dose):
        day = (3.0,)
        treated, none = (
            course(world, *given, day=day, **quiet) for given in ([("radiation", "external beam", dose, 0.0)], [])
        )
        return -np.log(treated.tumour_live[0] / none.tumour_live[0])

    alpha, beta, field = 0.146, 0.0146, 0.5
    for dose in (2.0, 8.0):
        assert log_kill(dose) == pytest.approx(field * (alpha * dose + beta * dose**2), rel=0.05)
    six = course(world, *COURSES["radiation"][:6]).tumour_live[-1]
    assert course(world, *COURSES["radiation"]).tumour_live[-1] < six
    seen = course(world, ("radiation", "external beam", 8.0, 30.0), day=(30.0 - 1e-6, 30.7))
    assert 0.6 < (seen.cd8_tumour[1] + seen.cd8_exhausted[1]) / (seen.cd8_tumour[0] + seen.cd8_exhausted[0]) < 0.85


def test_tumour_mass_balances(world):
    """With no growth left to hide it: what dies of the live cells stands in the dead ones until it is cleared."""
    day = np.linspace(0.01, 20.0, 400)
    seen = course(world, *COURSES["radiation"][:3], day=day, priming_strength=1e-6)
    live, dead = seen.tumour_live, seen.tumour_dead
    birth = (0.0047 * (1 - 0.2 * seen.innate / (1 + seen.innate)) + 0.002) * (1 - live / 3000.0) * live
    cleared = 0.022 * dead
    change = np.diff(live + dead)
    middle = 0.5 * ((birth - cleared)[1:] + (birth - cleared)[:-1]) * np.diff(day)
    np.testing.assert_allclose(change, middle, atol=2e-3)


def test_chemotherapy_lowers_suppressive_cells_and_changes_nothing_by_it(world):
    treated = course(world, *times("gemcitabine", "IV", 1900.0, 0, 7, 21, 28), day=(30.0,))
    assert treated.myeloid[0] < 0.9


def test_myeloid_state_leaves_the_patients_own_t_cells_as_fitted():
    assert "myeloid" not in assemble([load_drug("gemcitabine"), load_drug("nivolumab")]).antimony
