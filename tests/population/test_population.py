"""Virtual patients: order-free draws, distributions, correlations."""

import dataclasses

import numpy as np
import pytest

from mesotrial.catalogue import load_design, load_drug
from mesotrial.population import draw_cohort, load_parameters
from mesotrial.population.randomness import normals, philox4x32, uniforms


def _cohort(numbers, seed=3, replicate=0, line="relapsed", parameters=None, design="maps2"):
    population = load_design(design).population
    drugs = [load_drug("nivolumab"), load_drug("placebo")]
    return draw_cohort(
        population,
        [parameters or load_parameters()],
        drugs,
        line=line,
        seed=seed,
        replicate=replicate,
        numbers=np.asarray(numbers),
    )


def test_philox_gives_the_published_words():
    """Known answers of Philox4x32-10 (Salmon 2011, Random123's kat_vectors)."""
    zero = philox4x32(np.zeros((4, 1), dtype=np.uint64), (0, 0))
    assert [int(word) for word in zero[:, 0]] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = philox4x32(np.full((4, 1), 0xFFFFFFFF, dtype=np.uint64), (0xFFFFFFFF, 0xFFFFFFFF))
    assert [int(word) for word in ones[:, 0]] == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_draws_do_not_depend_on_company_order_or_count():
    everyone = uniforms(1, "death", 0, np.arange(100), 5)
    np.testing.assert_array_equal(uniforms(1, "death", 0, np.array([70, 3]), 5), everyone[[70, 3]])
    np.testing.assert_array_equal(uniforms(1, "death", 0, np.arange(100), 2), everyone[:, :2])
    for other in (
        uniforms(2, "death", 0, np.arange(100), 5),
        uniforms(1, "scan", 0, np.arange(100), 5),
        uniforms(1, "death", 1, np.arange(100), 5),
    ):
        assert not (other == everyone).any()
    assert everyone.min() > 0 and everyone.max() < 1


def test_normals_are_normal():
    draws = normals(1, "person", 0, np.arange(50_000), 2)
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(draws.std(axis=0), 1, atol=0.02)
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.02


def test_a_patient_is_the_same_in_any_cohort():
    whole, part = _cohort(range(50)), _cohort([41, 7])
    for name, values in whole.inputs.items():
        np.testing.assert_array_equal(part.inputs[name], values[[41, 7]], err_msg=name)
    for name, values in whole.covariates.items():
        np.testing.assert_array_equal(part.covariates[name], values[[41, 7]], err_msg=name)


def test_covariates_follow_the_design():
    cohort, spec = _cohort(range(20_000)), load_design("maps2").population
    assert cohort.covariates["epithelioid"].mean() == pytest.approx(spec.epithelioid, abs=0.02)
    assert cohort.covariates["ecog_ge1"].mean() == pytest.approx(spec.ecog_ge1, abs=0.02)
    assert cohort.covariates["pdl1_ge1"].mean() == pytest.approx(spec.pdl1_ge1, abs=0.02)
    assert np.median(cohort.covariates["age_years"]) == pytest.approx(spec.age_years.median, abs=0.3)
    assert cohort.covariates["age_years"].max() <= spec.age_years.high
    np.testing.assert_allclose(
        cohort.covariates["bsa_m2"], np.sqrt(cohort.covariates["weight_kg"] * cohort.covariates["height_cm"] / 3600)
    )


def test_parameters_follow_their_distributions_and_correlations():
    parameters = load_parameters().replaced({"classes.indolent.share": 0.0})
    cohort = _cohort(range(20_000), line="first", parameters=parameters)
    epithelioid = cohort.covariates["epithelioid"] > 0
    growth = parameters.distributions["growth_rate"]
    assert np.median(cohort.inputs["growth_rate"][epithelioid]) == pytest.approx(growth.median, rel=0.05)
    assert np.log(cohort.inputs["growth_rate"][epithelioid]).std() == pytest.approx(growth.sd, rel=0.05)
    assert cohort.inputs["escape_fraction"].min() > 0 and cohort.inputs["escape_fraction"].max() < 1
    wanted = parameters.correlations["cytotoxic_sensitivity", "priming_strength"]
    pair = np.log([cohort.inputs["cytotoxic_sensitivity"][epithelioid], cohort.inputs["priming_strength"][epithelioid]])
    assert np.corrcoef(pair)[0, 1] == pytest.approx(wanted, abs=0.03)


def test_a_latent_class_has_its_share_and_its_factor():
    parameters = load_parameters().replaced(
        {"classes.indolent.share": 0.1, "classes.indolent.relapsed": 2.25, "growth_rate.factors.indolent": 0.1}
    )
    with_class = _cohort(range(5000), parameters=parameters).inputs["growth_rate"]
    first = _cohort(range(5000), parameters=parameters, line="first").inputs["growth_rate"]
    without = _cohort(range(5000), parameters=parameters.replaced({"classes.indolent.share": 0.0})).inputs[
        "growth_rate"
    ]
    ratio = with_class / without
    assert (ratio < 0.5).mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_allclose(ratio[ratio < 0.5], 0.1, rtol=1e-12)
    np.testing.assert_array_equal(ratio[ratio > 0.5], 1.0)
    relapse = parameters.distributions["growth_rate"].factors["relapsed"]
    assert (first * relapse / without < 0.5).mean() == pytest.approx(0.1, abs=0.015)


def test_relapse_shifts_what_the_parameters_say():
    parameters = load_parameters()
    first, relapsed = _cohort(range(200), line="first"), _cohort(range(200), line="relapsed")
    factor = parameters.distributions["initial_volume"].factors["relapsed"]
    np.testing.assert_allclose(relapsed.inputs["initial_volume"], factor * first.inputs["initial_volume"], rtol=1e-12)


def test_typical_patients_have_no_spread():
    cohort = _cohort(range(100), parameters=load_parameters("typical"))
    epithelioid = cohort.covariates["epithelioid"] > 0
    assert np.unique(cohort.inputs["growth_rate"][epithelioid]).size == 1
    assert not cohort.inputs["nivolumab_CL_eta"].any()


def test_contradicting_correlations_are_refused():
    names = [
        ("growth_rate", "priming_strength"),
        ("growth_rate", "pdl1_baseline"),
        ("priming_strength", "pdl1_baseline"),
    ]
    base = load_parameters()
    wrong = {**base.correlations, **dict(zip(names, (0.95, 0.95, -0.95), strict=True))}
    with pytest.raises(ValueError, match="contradict"):
        _cohort(range(3), parameters=dataclasses.replace(base, correlations=wrong))


def test_replacing_an_unknown_parameter_is_refused():
    with pytest.raises(KeyError, match="growth"):
        load_parameters().replaced({"growth.median": 1.0})
