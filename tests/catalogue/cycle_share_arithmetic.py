"""How much of a platinum-pemetrexed cycle a single drug's cycle is worth, from published response rates; the test compares the drug files with this.

A patient responds when the drug's share times his or her sensitivity passes a threshold; sensitivity and all else that differs between patients is
log-normal. So a response rate is Phi((ln share - m) / s). Two points of EMPHACIS fix m and s: the doublet (share 1) and cisplatin alone, whose share is half
by the way the doublet is divided. The rate of another drug alone then gives its share. The s that comes out, 0.93, must be, and is, more than the spread of
sensitivity alone (0.57 in the population's start values). Only calibration rows are read.

RAMES was in relapse, so gemcitabine's share holds what is lost to resistance after first chemotherapy as well; nothing published separates the two.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from toxicity_arithmetic import published

CISPLATIN = 0.5
"""The platinum's share of a doublet: [guess], and a definition rather than a measurement, for s takes up what it leaves."""
GEMCITABINE_DOSES_A_CYCLE = 2


def spread() -> tuple[float, float]:
    """Give m and s of the response curve, from EMPHACIS."""
    normal = NormalDist()
    doublet = normal.inv_cdf(published("EMPHACIS", "cis+pem", "ORR"))
    alone = normal.inv_cdf(published("EMPHACIS", "cis", "ORR"))
    s = math.log(CISPLATIN) / (alone - doublet)
    return -s * doublet, s


def gemcitabine() -> float:
    """Give the share of one cycle of gemcitabine (two doses), from RAMES with placebo."""
    m, s = spread()
    return math.exp(m + s * NormalDist().inv_cdf(published("RAMES", "gem+placebo", "ORR")))


if __name__ == "__main__":
    print("m, s", spread(), "gemcitabine", gemcitabine())
