"""The shape of tumour courses: how deep, how soon and how fast again; to be held beside other trials' readings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mesotrial.trial.tables import DAYS_PER_MONTH

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SHAPES", "SHAPE_QUANTILES", "tumour_shape"]

SHAPES = ("depth", "nadir_days", "regrowth_per_month")
SHAPE_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_FEWEST_READINGS = 3  # baseline included


def tumour_shape(adtr: pl.DataFrame, arm: str) -> dict[str, list[float]]:
    """Return quantiles (`SHAPE_QUANTILES`) of an arm's courses of at least three readings, by name; empty lists without any.

    ``depth``: the smallest reading over the baseline, less 1. ``nadir_days``: its day, the first if several.
    ``regrowth_per_month``: log of the last reading over the smallest, over the months between, for those read again later.
    """
    import polars as pl

    readings = adtr.filter((pl.col("TRT01P") == arm) & (pl.col("PARAMCD") == "SUMDIAM") & (pl.col("AVAL") > 0))
    later = readings.filter(pl.col("AVISITN") > 0).sort("USUBJID", "ADY")
    courses = later.group_by("USUBJID", maintain_order=True).agg(
        pl.len().alias("n"),
        pl.col("BASE").first(),
        pl.col("AVAL").min().alias("low"),
        pl.col("ADY").get(pl.col("AVAL").arg_min()).alias("low_day"),
        pl.col("AVAL").last().alias("last"),
        pl.col("ADY").last().alias("last_day"),
    )
    courses = courses.filter(pl.col("n") >= _FEWEST_READINGS - 1)
    again = courses.filter(pl.col("last_day") > pl.col("low_day"))
    months = (again["last_day"] - again["low_day"]) / DAYS_PER_MONTH
    values = (courses["low"] / courses["BASE"] - 1.0, courses["low_day"], (again["last"] / again["low"]).log() / months)
    return {
        name: [round(float(value), 4) for value in np.quantile(one.to_numpy(), SHAPE_QUANTILES)] if len(one) else []
        for name, one in zip(SHAPES, values, strict=True)
    }
