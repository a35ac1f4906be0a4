"""One-arm designs against the published tables of Simon 1989 and A'Hern 2001, and by enumeration."""

import numpy as np
import pytest
from scipy.stats import binom

from mesotrial.analysis.one_arm import HistoricalControl, a_hern, bayesian_least, fleming, probability_better, simon


@pytest.mark.parametrize(
    ("p0", "p1", "alpha", "power", "kind", "design", "expected"),
    [
        (0.05, 0.25, 0.10, 0.90, "optimal", (0, 9, 2, 24), 14.5),
        (0.05, 0.25, 0.05, 0.80, "optimal", (0, 9, 2, 17), 12.0),
        (0.20, 0.40, 0.05, 0.80, "optimal", (3, 13, 12, 43), 20.6),
        (0.20, 0.40, 0.05, 0.80, "minimax", (4, 18, 10, 33), 22.3),
        (0.20, 0.40, 0.05, 0.90, "optimal", (4, 19, 15, 54), 30.4),
        (0.20, 0.40, 0.05, 0.90, "minimax", (5, 24, 13, 45), 31.2),
        (0.30, 0.50, 0.05, 0.80, "optimal", (5, 15, 18, 46), 23.6),
        (0.30, 0.50, 0.05, 0.80, "minimax", (6, 19, 16, 39), 25.7),
    ],
)
def test_two_stages_agree_with_the_tables_of_simon_1989(
    p0: float, p1: float, alpha: float, power: float, kind: str, design: tuple[int, ...], expected: float
) -> None:
    found = simon(p0, p1, alpha=alpha, power=power, kind=kind)  # type: ignore[arg-type]
    assert (found.r1, found.n1, found.r, found.n) == design
    assert round(found.expected_n, 1) == expected
    assert found.passes(p0) == pytest.approx(found.alpha)
    assert found.passes(p1) == pytest.approx(found.power)
    assert found.alpha <= alpha
    assert found.power >= power


def test_passing_two_stages_by_enumeration() -> None:
    found = simon(0.2, 0.4, alpha=0.05, power=0.8)
    total = 0.0
    for first in range(found.n1 + 1):
        for second in range(found.n - found.n1 + 1):
            if first > found.r1 and first + second > found.r:
                total += binom.pmf(first, found.n1, 0.3) * binom.pmf(second, found.n - found.n1, 0.3)
    assert found.passes(0.3) == pytest.approx(total)


def test_one_stage_is_the_smallest_exact_design() -> None:
    # A'Hern RP. Stat Med 2001;20:859-866, the paper's example: 0.40 against 0.60 at 5 % and 80 %.
    for p0, p1, alpha, power in ((0.05, 0.25, 0.05, 0.8), (0.2, 0.4, 0.05, 0.9), (0.4, 0.6, 0.05, 0.8)):
        found = a_hern(p0, p1, alpha=alpha, power=power)
        assert binom.sf(found.least - 1, found.n, p0) == pytest.approx(found.alpha)
        assert found.alpha <= alpha
        assert found.power >= power
        smaller = [
            (n, k)
            for n in range(1, found.n)
            for k in range(n + 1)
            if binom.sf(k - 1, n, p0) <= alpha and binom.sf(k - 1, n, p1) >= power
        ]
        assert not smaller


def test_fleming_by_hand() -> None:
    # ((1.64485 sqrt(.2 .8) + .84162 sqrt(.4 .6)) / .2)^2 = 28.6; 29 * .2 + 1.64485 sqrt(29 * .16) = 9.34, so 10
    found = fleming(0.2, 0.4, alpha=0.05, power=0.8)
    assert (found.n, found.least) == (29, 10)


def test_a_posterior_agrees_with_drawing() -> None:
    control = HistoricalControl(12, 40, weight=0.5)
    rng = np.random.default_rng(9)
    mine, theirs = rng.beta(18.5, 22.5, 400_000), rng.beta(6.5, 14.5, 400_000)
    assert probability_better(18, 40, control) == pytest.approx((mine > theirs).mean(), abs=0.003)
    assert probability_better(18, 40, control, margin=0.1) == pytest.approx((mine > theirs + 0.1).mean(), abs=0.003)


def test_the_least_is_the_first_that_is_certain_enough() -> None:
    control = HistoricalControl(12, 40)
    least = bayesian_least(30, control, certainty=0.95)
    assert least is not None
    assert probability_better(least, 30, control) >= 0.95 > probability_better(least - 1, 30, control)
    assert bayesian_least(3, HistoricalControl(39, 40), certainty=0.999) is None


def test_rates_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="0 < null < target < 1"):
        a_hern(0.4, 0.2, alpha=0.05, power=0.8)
    with pytest.raises(ValueError, match="too close"):
        simon(0.2, 0.21, alpha=0.05, power=0.8, most=30)
    with pytest.raises(ValueError, match="alpha and power"):
        fleming(0.2, 0.4, alpha=1.2, power=0.8)
