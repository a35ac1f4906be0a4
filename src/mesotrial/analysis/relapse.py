"""Relapse after treatment has ended: how many, how soon, and from which cells.

Two clocks run. Without the drug, cells that T cells had held grow again, months after the antibody has left its receptor; and cells that escape T cells grow
with the drug or without it. Which of the two a relapse is shows in the tumour: whether most of its living cells were escaped ones at the last scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.analysis.predict import Endpoint, Predictor
from mesotrial.analysis.rows import number, predicted_part

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design

__all__ = ["relapses"]

_MONTHS = (6.0, 12.0, 24.0)
_MOSTLY = 50.0  # percent


def relapses(
    design: Design, bank: Mapping[str, pl.DataFrame], predictors: Sequence[Predictor], unknown: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what became of people whose treatment ended while their disease was under control, arm by arm; arms without such people are left out.

    `share` is their part of the arm; `within` the share of them who relapsed or died by so many months after the last dose, `median_months` the time by which
    half had; `escaped_share` the part of the relapses in which most living cells were escaped ones. The first of `predictors` is that of `bank`; for the arms
    that are `unknown` values are None, and `lo90` to `hi90` holds the intervals of them all.
    """
    found = []
    for arm in design.arms:
        people = predictors[0].bank.survival("TTREL", arm.name)
        if not people.months.size:
            continue
        ranges = predictors if arm.name in unknown else predictors[:1]
        known = arm.name not in unknown
        found.append(
            {
                "arm": arm.name,
                "exploratory": not known,
                "share": people.months.size / int(predictors[0].bank.members(arm.name).sum()) if known else None,
                "within": [
                    {
                        "months": months,
                        **_turned(_range(Endpoint("TTREL_RATE", arm.name, time_months=months), ranges, known)),
                    }
                    for months in _MONTHS
                    if months <= design.follow_up_months
                ],
                "median_months": _range(Endpoint("TTREL_MEDIAN", arm.name), ranges, known),
                "escaped_share": number(_escaped(bank, arm.name)) if known else None,
            }
        )
    return found


def _range(endpoint: Endpoint, predictors: Sequence[Predictor], known: bool) -> dict[str, float | None]:
    parts = [predicted_part(endpoint, one, None) for one in predictors]
    lows, highs = [part["lo90"] for part in parts], [part["hi90"] for part in parts]
    return {
        "simulated": parts[0]["simulated"] if known else None,
        "lo90": None if None in lows else min(lows),
        "hi90": None if None in highs else max(highs),
    }


def _turned(kept: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the share who relapsed, from that of those who had not."""
    turned = {name: None if value is None else 1.0 - value for name, value in kept.items()}
    return {"simulated": turned["simulated"], "lo90": turned["hi90"], "hi90": turned["lo90"]}


def _escaped(bank: Mapping[str, pl.DataFrame], arm: str) -> float:
    """Return the part of an arm's relapses after treatment in which most living cells had escaped; NaN where nobody relapsed."""
    import polars as pl

    from mesotrial.analysis.endpoints import TREATMENT_ENDED, last_dose_day

    subjects = bank["adsl"].with_columns(last_dose=last_dose_day(bank))
    ended = subjects.filter((pl.col("TRT01P") == arm) & pl.col("DCTREAS").is_in(TREATMENT_ENDED))
    relapsed = (
        bank["adtte"]
        .filter((pl.col("PARAMCD") == "PFS") & (pl.col("CNSR") == 0))
        .select("USUBJID", relapse="ADY")
        .join(ended.select("USUBJID", "last_dose"), on="USUBJID")
        .filter(pl.col("relapse") > pl.col("last_dose"))
    )
    last = (
        bank["adtr"]
        .filter(pl.col("ESCPCT").is_not_null() & pl.col("ESCPCT").is_not_nan())
        .sort("AVISITN")
        .unique("USUBJID", keep="last", maintain_order=True)
        .join(relapsed.select("USUBJID"), on="USUBJID")
    )
    shares = last["ESCPCT"].to_numpy()
    return float((shares > _MOSTLY).mean()) if shares.size else np.nan
