"""Resampled trials against rpact 3.3.4 (getSimulationSurvival, 20,000 trials a case; tests/analysis/oracles/sequential.R): exponential survival, drop-out,
looks by events. Power, each look's share, and the months of the looks agree within Monte-Carlo error.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesotrial.analysis.power import Accrual, Conduct, Resampled, bank_of_fail_rates, resample_trials
from mesotrial.catalogue import read_test

ORACLES: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "tests" / "analysis" / "oracles" / "sequential.json").read_text()
)
CASES = [name for name, one in ORACLES.items() if isinstance(one, dict) and "iterations" in one]
TRIALS, PATIENTS = 8000, 400


def _resampled(theirs: dict[str, Any]) -> Resampled:
    bank = bank_of_fail_rates([{"duration": 1, "fail_rate": math.log(2) / 12, "hr": theirs["hr"]}])
    lost = -math.log(1 - theirs["dropout"])
    looks = len(theirs["planned"])
    conduct = Conduct(
        patients=PATIENTS,
        ratio=(1, 1),
        block=2,
        accrual=Accrual((theirs["accrual"],), (PATIENTS / theirs["accrual"],)),
        horizon=500.0,
        looks=tuple((0, events) for events in theirs["planned"]),
        efficacy=tuple(theirs["efficacy"]),
        futility=(-math.inf,) * looks,
        tests=(read_test("logrank"),),
        dropout_per_year=(lost, lost),
    )
    return resample_trials(conduct, [bank], TRIALS, seed=11)


@pytest.mark.parametrize("name", CASES)
def test_power_and_timing_agree_with_simulations_of_rpact(name: str) -> None:
    theirs = ORACLES[name]
    mine = _resampled(theirs)

    def close(share: float, other: float) -> bool:
        p = max((share + other) / 2, 1e-3)
        return abs(share - other) < 3.5 * math.sqrt(p * (1 - p) * (1 / TRIALS + 1 / theirs["iterations"]))

    assert close(mine.power, theirs["power"])
    for look, share in enumerate(theirs["reject"]):
        assert close(float((mine.won & (mine.stop_look == look)).mean()), share)
    np.testing.assert_allclose(mine.months.mean(), theirs["duration"], rtol=0.01)
    # rpact's month of a look is the mean over the trials that get there.
    for look, month in enumerate(theirs["analysis_time"]):
        assert mine.look_months[mine.stop_look >= look, look].mean() == pytest.approx(month, rel=0.01)


def test_the_fixed_design_agrees_with_the_closed_form_of_schoenfeld() -> None:
    """250 events, hazard ratio 0.7: power = Phi(sqrt(250 / 4) * -log(0.7) - 1.96) = 0.805, first order in the effect."""
    power = 0.5 * math.erfc((1.959964 - math.sqrt(250 / 4) * -math.log(0.7)) / math.sqrt(2))
    assert _resampled(ORACLES["sim_fixed"]).power == pytest.approx(power, abs=0.015)
