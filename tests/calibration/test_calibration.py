"""Calibration: what it may be fitted to, what it moves, and that an interrupted one goes on."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesotrial.analysis import Endpoint, RefusedTargetError
from mesotrial.calibration import Calibration, Free, Target, calibrate, load_free, load_targets
from mesotrial.calibration.centre import Cloud, balanced, fit_linear, information, misfit, shifts
from mesotrial.calibration.forward import _midmean
from mesotrial.calibration.free import parameter_sets
from mesotrial.calibration.identify import informed, known_truth_ranks, pawn_indices
from mesotrial.calibration.results import write_results
from mesotrial.calibration.targets import DESIGNS, variances
from mesotrial.population import load_ensemble, load_parameters
from mesotrial.population.parameters import RUN_DRAWS, load_posterior
from mesotrial.run import RunBusyError
from mesotrial.run.lock import locked


@pytest.mark.parametrize("name", ["maps2", "promisemeso", "dream", "pre0505", "beatmeso"])
def test_trials_kept_for_validation_are_refused(name):
    with pytest.raises(RefusedTargetError, match="validation"):
        load_targets((name,))


def test_targets_made_by_hand_are_refused_too(tmp_path):
    made = Target("maps2", Endpoint("ORR", "nivo"), 0.0, 0.3, 50, "by hand")
    with pytest.raises(RefusedTargetError, match="validation"):
        calibrate(tmp_path, targets=(made,))


def test_targets_are_finite_and_they_have_errors():
    targets = load_targets()
    assert {one.design for one in targets} == set(DESIGNS)
    assert all(np.isfinite(one.value) and one.sd > 0 for one in targets)
    assert len({(one.design, one.endpoint) for one in targets}) == len(targets)
    assert variances(targets).min() > 0


def test_landmarks_of_digitised_curves_lie_on_the_published_medians():
    """MAPS: survival of 16.1 and 18.8 months in the median, so half are alive then; landmarks either side must straddle 50 %."""
    rates = {
        (one.endpoint.arm, one.endpoint.time_months): 1 / (1 + np.exp(-one.value))
        for one in load_targets(("maps",))
        if one.endpoint.code == "OS_RATE" and "curve" in one.source
    }
    for arm in ("chemo", "bev+chemo"):
        assert rates[arm, 12.0] > 0.5 > rates[arm, 24.0] > rates[arm, 36.0]


@settings(deadline=None)  # the first call reads the priors
@given(st.floats(-3, 3))
def test_scores_and_values_are_inverse(score):
    for free in load_free():
        assert free.to_scale(free.from_scale(score)) == pytest.approx(score, abs=1e-6)


def test_every_free_quantity_names_a_number():
    base, free = load_parameters(), load_free()
    (moved,) = parameter_sets(base, free, np.full((1, len(free)), 0.3))
    for one in free:
        assert moved.at(one.path) == pytest.approx(one.from_scale(0.3))
        assert np.isfinite(base.at(one.path))


def _linear(members=120, seed=3):
    """A calibration whose predictions are a known linear function of two of three quantities."""
    rng = np.random.default_rng(seed)
    free = tuple(Free(f"readout.{name}", "linear", 0.0, 1.0) for name in ("a", "b", "idle"))
    targets = tuple(
        Target("x", Endpoint(code, f"arm{i}"), 0.0, 0.3, 50, "made up")
        for i in range(3)
        for code in ("ORR", "OS_MEDIAN")
    )
    matrix = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0], [0.5, 0, 0], [0, 0.5, 0]], float)
    prior = rng.standard_normal((members, 3))
    spread = np.linalg.inv(matrix.T / variances(targets) @ matrix + np.eye(3))
    posterior = rng.multivariate_normal(np.zeros(3), spread, members)
    return Calibration(
        free,
        targets,
        prior,
        posterior,
        (prior @ matrix.T, posterior @ matrix.T),
        np.zeros(6),
        np.stack([matrix, matrix]),
    )


def test_known_truths_fall_anywhere_in_their_posteriors():
    """Simulation-based calibration: uniform ranks, by Kolmogorov and Smirnov at 1 %."""
    from scipy.stats import kstest

    ranks = known_truth_ranks(_linear())
    assert all(kstest(column, "uniform").pvalue > 0.01 for column in ranks.T)


def test_one_round_finds_the_posterior_of_a_linear_problem():
    """Against the exact Gaussian posterior."""
    rng = np.random.default_rng(4)
    matrix, errors = rng.normal(size=(5, 3)), np.array([2.0, 3.0, 2.0, 4.0, 3.0])
    data, centre = np.array([0.5, 1.5, 1.2, 0.7, 1.0]), np.array([0.1, -0.2, 0.3])
    values = matrix @ centre
    moved = np.array([matrix @ (centre + one) for one in shifts(centre)])
    fit = fit_linear(centre, values, moved, data, errors)
    precision = matrix.T / errors @ matrix + np.eye(3)
    np.testing.assert_allclose(centre + fit.steps[0], np.linalg.solve(precision, matrix.T / errors @ data))
    np.testing.assert_allclose(fit.root @ fit.root.T, np.linalg.inv(precision))
    np.testing.assert_allclose(fit.slope, matrix)
    costs = [misfit(matrix @ (centre + one), data, errors, centre + one) for one in fit.steps]
    assert costs == sorted(costs)  # the more damped, the further from the best


def test_the_chance_of_virtual_patients_in_slopes_is_no_information():
    """Targets that say nothing: noisy slopes alone would leave a tenth of the spread; two rounds' slopes leave most of it."""
    rng = np.random.default_rng(6)
    noise = rng.normal(0.0, 0.3, (2, 126, 20))
    weights = np.full(126, 1 / 0.3**2)
    alone, both = (np.linalg.inv(information(first, noise[0], weights) + np.eye(20)) for first in noise)
    assert np.sqrt(np.diag(alone)).mean() < 0.12
    assert np.sqrt(np.diag(both)).mean() > 0.6


def test_rounds_bring_the_mean_over_the_draws_to_the_data_where_the_middle_is_beside_it():
    """A result that is the exponential of a widely spread quantity: the mean over the draws exceeds that of the middle by far."""
    data, errors = np.array([2.0]), np.array([0.01])
    normal = balanced(np.random.default_rng(1).standard_normal((100, 2)), np.ones(2))
    cloud = Cloud(np.zeros(2), normal * 1.0)

    def mean(one):
        return np.array([np.exp(one.draws[:, 0]).mean() * np.exp(one.draws[:, 1]).mean()])

    for _ in range(8):
        moved = np.array([mean(Cloud(cloud.centre + one, cloud.away)) for one in shifts(cloud.centre)])
        fit = fit_linear(cloud.centre, mean(cloud), moved, data, errors)
        tried = [Cloud(cloud.centre + one, normal @ fit.root.T) for one in fit.steps]
        cloud = min(tried, key=lambda one: misfit(mean(one), data, errors, one.centre))
    assert mean(cloud) == pytest.approx(2.0, abs=0.05)
    assert np.exp(cloud.centre.sum()) < 1.8


def test_the_first_draws_stand_for_all():
    sd = np.array([0.5, 1.0, 2.0, 0.1])
    away = balanced(np.random.default_rng(2).multivariate_normal(np.zeros(4), np.diag(sd**2), 60), sd)
    for group in (away[:25], away[25:50], away[50:]):
        np.testing.assert_allclose(group.mean(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(group.std(axis=0), sd)


def test_the_time_to_response_that_is_fitted_moves_between_two_scans():
    """A median stays on a scan's date until half of the responders have crossed it; the mean of the middle half does not."""
    found = [_midmean(np.repeat([1.4, 2.8], [early, 100 - early])) for early in (90, 65, 50, 35, 10)]
    assert found[0] == pytest.approx(1.4) and found[-1] == pytest.approx(2.8)
    assert found == sorted(found) and len(set(found[1:-1])) == 3
    assert np.isnan(_midmean(np.empty(0)))


def test_shrinkage_and_sensitivity_find_what_matters():
    made = _linear()
    a, b, idle = informed(made)
    assert a.shrinkage > 0.7 and b.shrinkage > 0.6 and abs(idle.shrinkage) < 0.2
    families, indices = pawn_indices(made)
    assert list(families) == ["response", "pfs", "os"]
    assert indices[0, :2].min() > 3 * indices[0, 2]


def test_an_interrupted_calibration_goes_on_and_ends_the_same(tmp_path):
    free = load_free()[:3]
    targets = load_targets(("ms01",))
    settings = {"members": 10, "draws": 12, "patients_per_arm": 50, "processes": 1, "free": free, "targets": targets}
    whole = calibrate(tmp_path / "whole", **settings)
    kept = (tmp_path / "whole" / "evaluations.jsonl").read_text().splitlines()
    (tmp_path / "cut").mkdir()
    for name in ("settings.json",):
        (tmp_path / "cut" / name).write_text((tmp_path / "whole" / name).read_text())
    (tmp_path / "cut" / "evaluations.jsonl").write_text("\n".join(kept[:53]) + '\n{"step": "Smoo')
    seen = []
    resumed = calibrate(tmp_path / "cut", **settings, progress=lambda done, total, message: seen.append(done))
    assert len(seen) < len(kept)
    np.testing.assert_array_equal(resumed.posterior, whole.posterior)
    assert len((tmp_path / "cut" / "evaluations.jsonl").read_text().splitlines()) == len(kept)
    with pytest.raises(ValueError, match="members: 10 there, 11 asked for. Nothing"):
        calibrate(tmp_path / "whole", **{**settings, "members": 11})
    with locked(tmp_path / "whole"), pytest.raises(RunBusyError, match="being worked on"):
        calibrate(tmp_path / "whole", **settings)
    files = write_results(tmp_path / "whole", whole, provenance="a test")
    assert {path.name for path in files} >= {"posterior.csv", "targets.csv", "informed.csv"}
    assert len((tmp_path / "whole" / "posterior.csv").read_text().splitlines()) == 2 + 12
    assert json.loads((tmp_path / "whole" / "settings.json").read_text())["members"] == 10
    head, _, body = (tmp_path / "whole" / "fitted.yaml").read_text().partition("version: calibration-")
    assert "a test" in head and "MAPS" not in head and "parameters:" in body
    sets = load_ensemble(tmp_path / "whole")
    assert len(sets) == 12 and len({one.version for one in sets}) == 1 and sets[0] != load_ensemble()[0]
    assert sets[3].at(free[0].path) == pytest.approx(free[0].from_scale(whole.posterior[3, 0]), rel=1e-5)


def test_the_shipped_population_is_the_mean_of_the_shipped_posterior():
    """On the scale of each prior; and the draws that a run takes have the same mean."""
    fitted, draws, free = load_parameters(), load_posterior(), load_free()
    assert len(draws) >= 100
    for one in free:
        scores = np.array([one.to_scale(draw.at(one.path)) for draw in draws])
        assert one.to_scale(fitted.at(one.path)) == pytest.approx(scores.mean(), abs=0.01), one.path
        assert scores[:RUN_DRAWS].mean() == pytest.approx(scores.mean(), abs=0.01), one.path
