"""Crossing hazards: what five tests conclude, against 1,000 trials simulated and analysed in R (survival 3.5, mvtnorm; tests/analysis/oracles/crossing.R), and
the power that gsDesign's nSurv gives for the design in simtrial's own double-programming test.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy.special import ndtri

from mesotrial.analysis.power import Accrual, Conduct, bank_of_fail_rates, resample_trials
from mesotrial.catalogue import read_test

ORACLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "tests" / "analysis" / "oracles" / "crossing.json").read_text()
)
TRIALS = 4000


@pytest.mark.parametrize("name", ["crossing", "null"])
def test_conclusions_under_crossing_hazards_agree_with_r(name: str) -> None:
    theirs = ORACLE[name]
    early, late = theirs["hr"]
    bank = bank_of_fail_rates(
        [{"duration": 4, "fail_rate": 0.06, "hr": early}, {"duration": 100, "fail_rate": 0.06, "hr": late}]
    )
    conduct = Conduct(
        patients=300,
        ratio=(1, 1),
        block=4,
        accrual=Accrual((1.0,), (15.0,)),
        horizon=100.0,
        looks=((1, 40.0),),
        efficacy=(1.96,),
        futility=(-math.inf,),
        tests=tuple(map(read_test, ORACLE["tests"])),
        dropout_per_year=(0.03, 0.03),
    )
    found = resample_trials(conduct, [bank], TRIALS, seed=21)
    shares = (found.final_z[:, 0, :] >= ndtri(0.975)).mean(axis=0)
    for test, mine, other in zip(ORACLE["tests"], shares, theirs["shares"], strict=True):
        p = max((mine + other) / 2, 0.01)
        error = math.sqrt(p * (1 - p) * (1 / TRIALS + 1 / ORACLE["trials"]))
        assert abs(mine - other) < 3.5 * error, test
    assert found.events.mean() == pytest.approx(theirs["events"], rel=0.01)
    assert found.log_ratios.mean() == pytest.approx(theirs["log_hr"], abs=0.015)


def test_the_power_of_simtrials_test_design_is_that_of_nsurv() -> None:
    """434 patients (5, 5, then 47 a month), median 7 months, hazard ratio 0.65, 5 % lost a year, analysed at month 18: gsDesign's nSurv gives 0.93."""
    rate = -math.log(1 - 0.05)
    conduct = Conduct(
        patients=434,
        ratio=(1, 1),
        block=4,
        accrual=Accrual((1.0, 2.0, 11.0), (5.0, 5.0, 47.0)),
        horizon=100.0,
        looks=((1, 18.0),),
        efficacy=(1.959964,),
        futility=(-math.inf,),
        tests=(read_test("logrank"),),
        dropout_per_year=(rate, rate),
    )
    bank = bank_of_fail_rates([{"duration": 100, "fail_rate": math.log(2) / 7, "hr": 0.65}])
    assert resample_trials(conduct, [bank], TRIALS, seed=2).power == pytest.approx(0.93, abs=0.015)
