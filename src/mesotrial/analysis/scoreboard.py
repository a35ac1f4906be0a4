"""The scoreboard: predictions of every scored published result, the baseline beside them ("mesotrial/scoreboard/1")."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesotrial.analysis import codes
from mesotrial.analysis.baseline import CarryOver
from mesotrial.analysis.predict import Predictor
from mesotrial.analysis.rows import endpoint_of, endpoint_row, predicted_part, published_part
from mesotrial.analysis.score import interval_score, is_predicted, score_rows

if TYPE_CHECKING:
    from mesotrial.catalogue import PublishedResult

__all__ = ["FAMILIES", "SCHEMA", "carried_view", "roles_of", "scored_row", "unpredicted"]

SCHEMA = "mesotrial/scoreboard/1"
FAMILIES = ("response", "pfs", "os", "toxicity")

Row = Mapping[str, Any]


def scored_row(
    result: PublishedResult, carry_over: CarryOver, predictor: Predictor | None, why_not: str = ""
) -> dict[str, Any]:
    """Return the row of a scored published result: a row of summary.json with more beside it.

    `carry_over`, `carry_over_z` and `carry_over_lo90`, `carry_over_hi90` are the baseline's; `not_predicted` says why a
    row has no prediction, and is None where it has one. `predictor` is None, and `why_not` given, where the arm cannot
    be simulated.
    """
    endpoint = endpoint_of(result)
    row = endpoint_row(endpoint, result.trial)
    if predictor is not None:
        row |= predicted_part(endpoint, predictor, result.n_used or result.n)
    row |= published_part(result, row) | _carried_part(result, carry_over)
    row["family"] = codes.family(result.code)
    row["not_predicted"] = None if is_predicted(row) else why_not or _not_simulated(result)
    return row


def _not_simulated(result: PublishedResult) -> str:
    of = "" if result.subgroup_code == "all" else f" of {result.subgroup_code.replace('_', ' ')}"
    return f"{result.code}{of} is not simulated"


def _carried_part(result: PublishedResult, carry_over: CarryOver) -> dict[str, float | None]:
    """Return the baseline's value, its z, and the interval within which a published value would be covered."""
    value = carry_over.predict(result)
    found: dict[str, float | None] = dict.fromkeys(("carry_over", "carry_over_z", "carry_over_lo90", "carry_over_hi90"))
    published = published_part(result, {"simulated": value, "lo90": None})
    if value is None or published["z"] is None or result.se is None:
        return found | {"carry_over": value}
    centre = codes.on_scale(result.code, value, result.n_used)
    half = codes.COVERED * math.hypot(result.se, codes.tau(result.code))
    lower, upper = (codes.from_scale(result.code, end) for end in (centre - half, centre + half))
    return {
        "carry_over": value,
        "carry_over_z": published["z"],
        "carry_over_lo90": lower,
        "carry_over_hi90": upper,
    }


def carried_view(row: Row) -> dict[str, Any]:
    """Return the row as if the baseline were the model: to be scored in the same way.

    The baseline has no interval of its own; it gets the one that covers by the score's rule (published standard error
    and spread between trials), so its share inside the interval is its coverage.
    """
    z = row["carry_over_z"]
    return dict(row) | {
        "simulated": row["carry_over"],
        "z": z,
        "lo90": row["carry_over_lo90"],
        "hi90": row["carry_over_hi90"],
        "inside90": None if z is None else abs(z) <= codes.COVERED,
    }


def roles_of(rows: Iterable[Row], roles: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the scores of each of `roles`, overall and by family (`families`).

    Each has the figures of `score_rows` for the model; `carry_over`, the same for the baseline over every row that it
    predicts; `shared`, the rows that both predict with the figures of both; `skill` = 1 - model / baseline in mean |z|
    and `interval_skill` = the same in the interval score, over the shared rows; an interval without an upper end leaves a row
    out of `interval_score` and `mean_width` of both. Above 0 the model is the better.
    """
    every = list(rows)
    found = {}
    for role in roles:
        mine = [row for row in every if row["role"] == role]
        families = {name: _compared([row for row in mine if row["family"] == name]) for name in FAMILIES}
        found[role] = _compared(mine) | {"families": families}
    return found


def _compared(rows: Sequence[Row]) -> dict[str, Any]:
    shared = [row for row in rows if row["z"] is not None and row["carry_over_z"] is not None]
    model, carried = score_rows(shared), score_rows(map(carried_view, shared))
    both = [row for row in shared if None not in (interval_score(row), interval_score(carried_view(row)))]
    for scores, rows_of in ((model, both), (carried, list(map(carried_view, both)))):
        bounded = score_rows(rows_of)
        scores |= {key: bounded[key] for key in ("interval_score", "mean_width")}
    return {
        **score_rows(rows),
        "carry_over": score_rows(map(carried_view, rows)),
        "shared": {**model, "carry_over": carried},
        "skill": _skill(model["mean_abs_z"], carried["mean_abs_z"]),
        "interval_skill": _skill(model["interval_score"], carried["interval_score"]),
    }


def _skill(model: float | None, baseline: float | None) -> float | None:
    return 1 - model / baseline if model is not None and baseline else None


def unpredicted(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """List what has no prediction: trial, arm, role, the reason, and how many scored rows that leaves out."""
    counted: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for row in rows:
        if row["not_predicted"]:
            counted[row["trial"], row["arm"], row["role"], row["not_predicted"]] += 1
    return [
        {"trial": trial, "arm": arm, "role": role, "why": why, "rows": count}
        for (trial, arm, role, why), count in counted.items()
    ]
