"""Group-sequential boundaries against rpact 3.3.4 (getDesignGroupSequential, getDesignCharacteristics) and gsDesign's documented default design."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesotrial.analysis.monitoring import (
    Prior,
    conditional_power,
    events_for,
    posterior_probability,
    predictive_power,
    z_for_conditional_power,
    z_for_posterior,
    z_for_predictive_power,
)
from mesotrial.analysis.sequential import Boundaries, Spending, boundaries

ORACLES: dict[str, Any] = json.loads((Path(__file__).parent / "oracles" / "sequential.json").read_text())
DESIGNS = [name for name, one in ORACLES.items() if isinstance(one, dict) and "fractions" in one]


def _spending(text: str) -> Spending:
    for kind in ("obrien_fleming", "pocock", "hwang_shih_decani", "power"):
        if text.startswith(kind):
            rest = text.removeprefix(kind).strip("_")
            return Spending(kind, float(rest) if rest.strip("-.").replace(".", "").isdigit() else None)  # type: ignore[arg-type]
    raise AssertionError(text)


def _mine(name: str) -> Boundaries:
    theirs = ORACLES[name]
    efficacy, _, futility = name.partition("+")
    fractions = [*theirs["fractions"][:-1], 1.0]
    return boundaries(
        fractions,
        alpha=theirs["alpha"],
        spending=_spending(efficacy),
        power=theirs["power"],
        futility=_spending(futility) if futility else None,
    )


@pytest.mark.parametrize("name", DESIGNS)
def test_boundaries_agree_with_rpact_to_four_digits(name: str) -> None:
    theirs, mine = ORACLES[name], _mine(name)
    np.testing.assert_allclose(mine.efficacy, theirs["efficacy"], atol=2e-5)
    np.testing.assert_allclose(mine.alpha_spent, theirs["spent"], atol=2e-8)
    if theirs["futility"]:
        np.testing.assert_allclose(mine.futility[:-1], theirs["futility"], atol=5e-5)


@pytest.mark.parametrize("name", DESIGNS)
def test_information_and_stopping_agree_with_rpact(name: str) -> None:
    theirs, mine = ORACLES[name], _mine(name)
    np.testing.assert_allclose([mine.inflation, mine.drift**2], [theirs["inflation"], theirs["shift"]], rtol=5e-5)
    run = mine.under(mine.drift)
    np.testing.assert_allclose(run.efficacy, theirs["reject"], atol=2e-5)
    assert run.power == pytest.approx(theirs["power"], abs=1e-7)
    assert run.expected_fraction * mine.inflation == pytest.approx(theirs["asn1"], rel=5e-5)


def test_the_default_design_of_gs_design() -> None:
    # gsDesign(): k = 3, sfHSD(-4) above, sfHSD(-2) below, not binding, as printed by its vignettes.
    mine = boundaries(
        [1 / 3, 2 / 3, 1],
        spending=Spending("hwang_shih_decani", -4),
        power=0.9,
        futility=Spending("hwang_shih_decani", -2),
    )
    np.testing.assert_allclose(mine.efficacy, [3.0107, 2.5465, 1.9992], atol=6e-5)
    np.testing.assert_allclose(mine.futility, [-0.2387, 0.9411, 1.9992], atol=6e-5)
    assert mine.inflation == pytest.approx(1.070, abs=6e-4)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(0.05, 0.95), min_size=0, max_size=3, unique_by=lambda x: round(x, 1)),
    st.sampled_from([Spending("obrien_fleming"), Spending("pocock"), Spending("hwang_shih_decani", 1.0)]),
    st.floats(0.005, 0.2),
)
def test_alpha_is_spent_exactly(inner: list[float], spending: Spending, alpha: float) -> None:
    mine = boundaries([*sorted(inner), 1.0], alpha=alpha, spending=spending)
    assert mine.under(0.0).power == pytest.approx(alpha, abs=1e-9)
    assert mine.alpha_spent[-1] == alpha


def test_bad_requests_are_refused() -> None:
    for fractions in ([], [0.5, 0.5, 1], [0.7, 0.4], [0.5, 1.2], [0.0, 1.0]):
        with pytest.raises(ValueError, match="information fractions"):
            boundaries(fractions)
    with pytest.raises(ValueError, match="alpha"):
        boundaries([1.0], alpha=1.2)
    with pytest.raises(ValueError, match="power"):
        boundaries([1.0], power=0.01)
    with pytest.raises(ValueError, match="no effect, however large"):
        boundaries([0.5, 1.0], power=0.9, futility=[30.0, 0.0], spending=Spending("power", 40.0))
    with pytest.raises(ValueError, match="beta spending needs"):
        boundaries([0.5, 1.0], futility=Spending())


def test_events_agree_with_schoenfeld_by_hand() -> None:
    # 4 (1.95996 + 1.28155)^2 / log(0.7)^2 = 330.3
    assert events_for(np.log(0.7), alpha=0.025, power=0.9) == 331


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.05, 0.95),
    st.floats(0.02, 0.98),
    st.floats(1.6, 3.0),
    st.floats(-1, 4),
    st.sampled_from([0.5, 2.0, float("inf")]),
)
def test_thresholds_invert_their_probabilities(t: float, p: float, critical: float, mean: float, sd: float) -> None:
    prior = Prior(mean, sd)
    assert predictive_power(z_for_predictive_power(p, t, critical, prior), t, critical, prior) == pytest.approx(p)
    assert posterior_probability(z_for_posterior(p, t, prior), t, prior) == pytest.approx(p)
    for drift in (None, mean):
        assert conditional_power(z_for_conditional_power(p, t, critical, drift), t, critical, drift) == pytest.approx(p)


def test_predictive_power_agrees_with_drawing() -> None:
    rng = np.random.default_rng(2)
    t, z, critical, prior = 0.4, 1.2, 1.96, Prior(1.0, 1.5)
    mean, variance = prior.posterior(z * np.sqrt(t), t)
    drift = rng.normal(mean, np.sqrt(variance), 400_000)
    final = z * np.sqrt(t) + drift * (1 - t) + rng.normal(0, np.sqrt(1 - t), drift.size)
    assert predictive_power(z, t, critical, prior) == pytest.approx((final > critical).mean(), abs=0.003)
