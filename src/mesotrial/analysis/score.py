"""How well predictions agree with what was published: one set of figures per role, never mixed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import Any

from mesotrial.analysis import codes

__all__ = ["ROLES", "interval_score", "interval_z", "is_predicted", "score", "score_rows"]

ROLES = ("calibration", "validation")

_MISSED = 2 / 0.10  # the interval score's price, per unit missed, of a 90 % interval
Row = Mapping[str, Any]


def score(rows: Iterable[Row]) -> dict[str, dict[str, float | int | None]]:
    """Return the figures of `score_rows` for the rows (objects of summary.json) with role calibration, and with role
    validation.
    """
    every = list(rows)
    return {role: score_rows(row for row in every if row["role"] == role) for role in ROLES}


def score_rows(rows: Iterable[Row]) -> dict[str, float | int | None]:
    """Return the scores of rows with `scored` = yes that were predicted; None where there is no row to tell.

    `inside90_lo95`, `inside90_hi95`: interval of that share with the rows of a trial as a cluster (linearised variance of a ratio, t with one degree of
    freedom less than trials: Cochran WG. Sampling Techniques, 3rd ed. 1977, chapter 3, cluster sampling), within 0 and 1; None for one trial alone, and
    where all trials have the same share, which says nothing of their spread.
    `rows`, `trials`, `unpredicted` (scored rows without a prediction), `z_coverage` (share with |z| <= 1.645; a
    median that the simulation does not reach has no z and is not covered), `inside90` (share of published values
    inside the prediction interval), `mean_abs_z`, `rate_points_mae` (median absolute error, percentage points),
    `median_percent_mae` (median absolute error of medians, percent), `mean_width` of the intervals and `interval_score` (mean over rows on the
    scoring scale, smaller is better: Gneiting T, Raftery AE. J Am Stat Assoc 2007;102:359-378, section 6.2).
    """
    scored = [row for row in rows if row["scored"] == "yes"]
    predicted = [row for row in scored if is_predicted(row)]
    judged = [row for row in predicted if row["z"] is not None]
    low, high = _clustered((row["trial"], bool(row["inside90"])) for row in predicted if row["inside90"] is not None)
    return {
        "rows": len(predicted),
        "trials": len({row["trial"] for row in predicted}),
        "unpredicted": len(scored) - len(predicted),
        "z_coverage": _mean(row["z"] is not None and abs(row["z"]) <= codes.COVERED for row in predicted),
        "inside90": _mean(bool(row["inside90"]) for row in predicted if row["inside90"] is not None),
        "inside90_lo95": low,
        "inside90_hi95": high,
        "mean_abs_z": _mean(abs(row["z"]) for row in judged),
        "rate_points_mae": _median(
            100 * abs(row["simulated"] - row["published"]) for row in judged if codes.is_rate(row["code"])
        ),
        "median_percent_mae": _median(
            100 * abs(row["simulated"] / row["published"] - 1) for row in judged if codes.is_median(row["code"])
        ),
        "mean_width": _mean(ends[1] - ends[0] for row in judged if (ends := _ends(row)) is not None),
        "interval_score": _mean(value for row in judged if (value := interval_score(row)) is not None),
    }


def is_predicted(row: Row) -> bool:
    """Say whether a row has a prediction: a value to score, or an interval."""
    return row["z"] is not None or row["inside90"] is not None


def interval_score(row: Row) -> float | None:
    """Return the interval score of a row on the scoring scale; None where an end of its interval is not reached."""
    if (ends := _ends(row)) is None:
        return None
    (lower, upper), seen = ends, codes.on_scale(row["code"], row["published"], row["published_n"])
    missed = max(lower - seen, 0.0) + max(seen - upper, 0.0)
    return upper - lower + _MISSED * missed if math.isfinite(seen) else None


def interval_z(row: Row) -> float | None:
    """Return how many SDs the published value lies from the middle of the row's 90 % interval, on the scoring scale, if that interval is a normal's.

    Within 1.645 it is inside. None where an end is not reached or the interval has no width.
    """
    if (ends := _ends(row)) is None or ends[1] <= ends[0]:
        return None
    seen = codes.on_scale(row["code"], row["published"], row["published_n"])
    found = (seen - (ends[0] + ends[1]) / 2) / ((ends[1] - ends[0]) / 2 / codes.COVERED)
    return found if math.isfinite(found) else None


def _ends(row: Row) -> tuple[float, float] | None:
    if row["lo90"] is None or row["hi90"] is None:
        return None
    lower, upper = (codes.on_scale(row["code"], row[key], row["published_n"]) for key in ("lo90", "hi90"))
    return (lower, upper) if math.isfinite(lower) and math.isfinite(upper) else None


def _clustered(judged: Iterable[tuple[str, bool]]) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a share whose rows come in clusters, of (cluster, whether it counts)."""
    from scipy.special import stdtrit

    clusters: dict[str, list[bool]] = {}
    for name, counts in judged:
        clusters.setdefault(name, []).append(counts)
    number, rows = len(clusters), sum(map(len, clusters.values()))
    if number < 2:
        return None, None
    share = sum(map(sum, clusters.values())) / rows
    spread = sum((sum(one) - share * len(one)) ** 2 for one in clusters.values()) * number / (number - 1)
    if not spread:
        return None, None
    half = float(stdtrit(number - 1, 0.975)) * math.sqrt(spread) / rows
    return max(share - half, 0.0), min(share + half, 1.0)


def _mean(values: Iterable[float]) -> float | None:
    listed = [float(value) for value in values]
    return fmean(listed) if listed else None


def _median(values: Iterable[float]) -> float | None:
    listed = list(values)
    return median(listed) if listed else None
