"""What an endpoint's code means: its family, its scoring scale, and how far two trials of one treatment lie apart.

The codes are those of the catalogue's published results: ORR, OS_MEDIAN, PFS_RATE, AE_COLITIS_G34, ...
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["COVERED", "family", "from_scale", "is_hazard_ratio", "is_median", "is_rate", "on_scale", "tau", "z_score"]

COVERED = 1.645  # a published value is covered when |z| is at most this: 90 % of a normal distribution

_RESPONSE_TAU: Mapping[str, float] = {"ORR": 0.43, "DCR": 0.35, "DCR_AT": 0.35, "PD_BEST": 0.35}


def is_median(code: str) -> bool:
    """Say whether `code` is a median time, in months."""
    return code.endswith("_MEDIAN")


def is_hazard_ratio(code: str) -> bool:
    """Say whether `code` is a hazard ratio."""
    return code.endswith("_HR")


def is_rate(code: str) -> bool:
    """Say whether `code` is a rate, a fraction between 0 and 1."""
    return not (is_median(code) or is_hazard_ratio(code))


def family(code: str) -> str:
    """Return `os`, `pfs`, `response` or `toxicity`."""
    if code.startswith("OS_"):
        return "os"
    if code.startswith(("PFS_", "PFS2_", "TTP_")):
        return "pfs"
    return "response" if code.startswith(("ORR", "DCR", "PD_BEST", "DOR_", "TTR_")) else "toxicity"


def tau(code: str) -> float:
    """Return the standard deviation between trials of the same treatment, on the scoring scale.

    Responses: a random-effects pooling of the published PD-1/PD-L1 trials in relapse (0.43 on the logit for ORR); the
    others are set by judgement in the evidence notes.
    """
    if is_hazard_ratio(code):
        return 0.10
    if is_median(code):
        return 0.12
    if code.endswith("_RATE"):
        return 0.20
    return _RESPONSE_TAU.get(code, 0.40)


def on_scale(code: str, value: float, n: float | None = None) -> float:
    """Return `value` on its scoring scale: the logit of a rate, the log of a median or a hazard ratio.

    A rate of 0 or 1 gets half a count of `n` patients: (events + 0.5) / (n + 1). NaN where that is impossible.
    """
    if not is_rate(code):
        return math.log(value) if value > 0 else math.nan
    if value <= 0 or value >= 1:
        if not n:
            return math.nan
        value = (n * value + 0.5) / (n + 1)
    return math.log(value / (1 - value))


def from_scale(code: str, value: float) -> float:
    """Return the value whose scoring scale is `value`: the inverse of `on_scale`."""
    return 1 / (1 + math.exp(-value)) if is_rate(code) else math.exp(value)


def z_score(code: str, simulated: float, published: float, se: float, n: float | None) -> float:
    """Return (simulated - published) / sqrt(se^2 + tau^2) on the scoring scale; NaN where that is impossible."""
    return (on_scale(code, simulated, n) - on_scale(code, published, n)) / math.hypot(se, tau(code))
