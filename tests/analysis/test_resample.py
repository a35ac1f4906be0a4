import numpy as np
import pytest

from mesotrial.analysis.cox import efron_log_hazard_ratios, hazard_ratio
from mesotrial.analysis.resample import resampled_curves, resampled_hazard_ratios
from mesotrial.analysis.survival import kaplan_meier

RNG_SEED = 11


def _bank(n: int = 150, digits: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    time, cut = np.round(rng.exponential(10, n) + 1, digits), np.round(rng.uniform(5, 30, n), digits)
    return np.minimum(time, cut), time <= cut


@pytest.mark.parametrize("digits", [0, 3])
@pytest.mark.parametrize("n", [2, 7, 60])
def test_each_resampled_curve_is_the_kaplan_meier_curve_of_its_patients(digits: int, n: int) -> None:
    time, event = _bank(digits=digits)
    curves = resampled_curves(time, event, n, 40, np.random.default_rng(RNG_SEED))
    order = np.lexsort((~event, time))
    grid = np.array([0.0, 0.5, 3.0, 7.0, 12.0, 29.0, 99.0])
    on_grid, medians = curves.on(grid), curves.medians()
    for row, places in enumerate(curves.places):
        one = kaplan_meier(time[order][places], event[order][places])
        np.testing.assert_allclose(on_grid[row], [one.at(mark)[0] for mark in grid], atol=1e-12)
        median = one.median()[0]
        assert medians[row] == pytest.approx(median) if np.isfinite(median) else np.isinf(medians[row])


def test_many_hazard_ratios_agree_with_one_at_a_time() -> None:
    rng = np.random.default_rng(3)
    trials, n = 25, 40
    time = np.sort(rng.integers(0, 12, (trials, n)), axis=1)
    event = rng.random((trials, n)) < 0.7
    event = np.take_along_axis(event, np.lexsort((~event, time), axis=1), axis=1)
    treated = rng.random((trials, n)) < 0.5
    logs, ses = efron_log_hazard_ratios(time, event, treated)
    for row in range(trials):
        one = hazard_ratio(time[row], event[row], treated[row])
        assert (logs[row], ses[row]) == pytest.approx((one.log_value, one.se))


def test_resampled_hazard_ratios_spread_around_the_banks() -> None:
    rng = np.random.default_rng(4)
    treated, others = rng.exponential(20, 1500), rng.exponential(10, 1500)
    everybody = np.ones(1500, bool)
    logs = resampled_hazard_ratios((treated, everybody), (others, everybody), (100, 100), 500, rng)
    assert logs.mean() == pytest.approx(np.log(0.5), abs=0.03)
    assert logs.std() == pytest.approx(2 / np.sqrt(200), rel=0.15)  # the usual 2 / sqrt(events)


def test_the_same_seed_gives_the_same_trials() -> None:
    time, event = _bank()
    one, same = (resampled_curves(time, event, 20, 10, np.random.default_rng(RNG_SEED)) for _ in range(2))
    np.testing.assert_array_equal(one.places, same.places)
