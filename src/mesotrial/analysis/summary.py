"""The summary of a run: every endpoint with its simulated value, its 90 % prediction interval, and what was published
("mesotrial/summary/1").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.analysis.conclusions import conclusions
from mesotrial.analysis.endpoints import Outcomes
from mesotrial.analysis.predict import TRIALS, Endpoint, Predictor, estimate
from mesotrial.analysis.relapse import relapses
from mesotrial.analysis.rows import (
    endpoint_of,
    endpoint_row,
    inside,
    number,
    predicted_part,
    published_part,
    shown_value,
    size_of,
)

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design, PageFigure, PublishedResult

__all__ = ["SCHEMA", "summarise"]

SCHEMA = "mesotrial/summary/1"
_HIDDEN_ROLES = ("none", "exclude")

# What an endpoint of a design's list stands for where it is not itself a code; 12 weeks are 2.76 months, as in the published results.
_FAMILIES: Mapping[str, tuple[tuple[str, float | None], ...]] = {
    "OS": (("OS_MEDIAN", None), ("OS_RATE", 12.0), ("OS_RATE", 24.0)),
    "PFS": (("PFS_MEDIAN", None), ("PFS_RATE", 6.0), ("PFS_RATE", 12.0)),
    "TTP": (("TTP_MEDIAN", None),),
    "DOR": (("DOR_MEDIAN", None),),
    "TTR": (("TTR_MEDIAN", None),),
    "DCR_AT": (("DCR_AT", 2.76),),
    "TOX": (("TRAE_ANY", None), ("TRAE_G34", None), ("DISC_TOX", None), ("DEATH_TOX", None)),
}

PageKey = tuple[str, str, float | None]


def summarise(
    design: Design,
    tables: Mapping[str, pl.DataFrame],
    bank: Mapping[str, pl.DataFrame],
    published: Iterable[PublishedResult],
    page_figures: Mapping[PageKey, PageFigure],
    seed: int,
    *,
    ends: Sequence[Mapping[str, pl.DataFrame]] = (),
    exploratory: Collection[str] = (),
    lead_in: Mapping[str, Mapping[str, float]] | None = None,
    trials: int = TRIALS,
) -> dict[str, Any]:
    """Return the object of summary.json. Rates are fractions, times months, undefined is None.

    A row for every result published on the trial's arms (roles none and exclude left out), then rows for the design's
    endpoints that nobody published (landmarks within its follow-up). In a row

    - `simulated` is the large-sample value: that of the whole bank, not of the one trial in `tables`;
    - `lo90`, `hi90` hold 90 % of new trials of the published size (`published_n`), of `trials` resampled from the
      bank, each with a trial-level effect (a bound that is not reached is None);
    - `inside90` says whether the published value lies there; `z` scores the rows with `scored` = yes;
    - `observed`, `observed_lo`, `observed_hi` are the value in `tables` (one trial of the design's size) and its 95 %
      confidence interval;
    - in the `exploratory` arms (or against one) the effect in people is not known: `simulated`, `observed` and `z` are None, `exploratory` is true, and
      `lo90` to `hi90` holds the intervals of `bank` and of the `ends`, banks at the low and the high end of the human-translation factor;
    - `published_level` is in percent, as published; `page` and `page_statement` are the patient page's figure and the
      statement that gives it.

    `bands` hold, for each of the `exploratory` arms, the lower and the upper edge of the OS and the PFS curve month by month: those of the 90 % bands of new
    trials of the design's size in `bank` and the `ends` together.

    `relapse` says what became of people whose treatment ended while their disease was under control (`relapses`).

    `lead_in` is passed on: what became of those who began it, for the `trial` and for the `bank`; None where the design has none.

    `tests` says what each test of the comparison concludes from `tables` (`conclusions`).
    """
    trial, whole = Outcomes(tables), Outcomes(bank)
    sizes = {arm.name: arm.n for arm in design.arms}
    predictor = Predictor(whole, seed, sizes, trials)
    others = [Predictor(Outcomes(end), seed, sizes, trials) for end in ends]
    rows = [
        _published_row(result, trial, predictor, page_figures)
        for result in published
        if result.trial == design.evidence_trial and result.role not in _HIDDEN_ROLES and _arms_known(result, predictor)
    ]
    rows += [
        _row(endpoint, design.evidence_trial or design.name, trial, predictor, page_figures)
        for endpoint in _unpublished(design, rows)
    ]
    rows = [_opened(row, others) if {row["arm"], row["comparator"]} & set(exploratory) else row for row in rows]
    unknown = [arm.name for arm in design.arms if arm.name in exploratory]
    return {
        "schema": SCHEMA,
        "design": design.name,
        "seed": seed,
        "patients_per_arm": _sizes(design, trial),
        "bank": _sizes(design, whole),
        "trials_resampled": trials,
        "status_counts": _status_counts(tables),
        "bank_status_counts": _status_counts(bank),
        "lead_in": lead_in,
        "endpoints": rows,
        "bands": [
            _curve_band(name, arm, design.follow_up_months, [predictor, *others])
            for arm in unknown
            for name in ("OS", "PFS")
        ],
        "relapse": relapses(design, bank, [predictor, *others], unknown),
        "tests": [row for row in conclusions(design, tables) if not {row["arm"], row["comparator"]} & set(exploratory)],
    }


def _opened(row: Mapping[str, Any], others: Sequence[Predictor]) -> dict[str, Any]:
    """Return a row whose value nobody knows: without a point, and with the band over what is not known."""
    endpoint = Endpoint(row["code"], row["arm"], row["comparator"], row["subgroup"], row["time_months"])
    parts = [row, *(predicted_part(endpoint, other, row["published_n"]) for other in others)]
    lows = [part["lo90"] for part in parts]
    # A missing upper end beside a lower one is a time not reached.
    highs = [part["hi90"] for part in parts if part["lo90"] is not None]
    known = all(low is not None for low in lows)
    opened = {
        **row,
        **dict.fromkeys(("simulated", "observed", "observed_lo", "observed_hi", "z")),
        "exploratory": True,
        "lo90": min(lows) if known else None,
        "hi90": max(highs) if known and None not in highs else None,
    }
    return opened | {"inside90": inside(row["published"], opened)}


def _curve_band(parameter: str, arm: str, last_month: float, predictors: Sequence[Predictor]) -> dict[str, Any]:
    """Return the edges of a curve that nobody knows, over all `predictors`, as far as each of them reaches."""
    grid = np.arange(0.0, last_month + 0.5)
    size = predictors[0].trial_size(Endpoint(f"{parameter}_MEDIAN", arm), None)
    bands = [one.band(parameter, arm, size, grid) for one in predictors]
    lower, upper = np.min([low for low, _ in bands], axis=0), np.max([high for _, high in bands], axis=0)
    there = np.isfinite(lower) & np.isfinite(upper)
    return {
        "arm": arm,
        "parameter": parameter,
        "months": grid[there].tolist(),
        "lo90": lower[there].tolist(),
        "hi90": upper[there].tolist(),
    }


def _arms_known(result: PublishedResult, predictor: Predictor) -> bool:
    return all(not arm or arm in predictor.arm_sizes for arm in (result.arm, result.comparator))


def _published_row(
    result: PublishedResult, trial: Outcomes, predictor: Predictor, page_figures: Mapping[PageKey, PageFigure]
) -> dict[str, Any]:
    row = _row(endpoint_of(result), result.trial, trial, predictor, page_figures, size_of(result))
    return row | published_part(result, row)


def _row(
    endpoint: Endpoint,
    trial_name: str,
    trial: Outcomes,
    predictor: Predictor,
    page_figures: Mapping[PageKey, PageFigure],
    size: float | None = None,
) -> dict[str, Any]:
    """Return the row of an endpoint as if nobody had published it."""
    observed = estimate(trial, endpoint)
    key = (endpoint.arm, endpoint.code, endpoint.time_months)
    page = page_figures.get(key) if endpoint.subgroup == "all" and endpoint.comparator is None else None
    return (
        endpoint_row(endpoint, trial_name)
        | predicted_part(endpoint, predictor, size)
        | {
            "observed": number(observed.value),
            "observed_lo": number(observed.lower),
            "observed_hi": number(observed.upper),
            "page": None if page is None else shown_value(page.value, page.unit),
            "page_statement": None if page is None else page.statement,
        }
    )


def _unpublished(design: Design, rows: Iterable[Mapping[str, Any]]) -> Iterable[Endpoint]:
    """Yield the endpoints of the design's list, arm by arm, that have no row yet."""
    there = {
        (row["arm"], row["code"], row["time_months"])
        for row in rows
        if row["subgroup"] == "all" and not row["comparator"]
    }
    for name in design.endpoints:
        for code, months in _FAMILIES.get(name, ((name, None),)):
            for arm in design.arms:
                if (arm.name, code, months) not in there and (months or 0) <= design.follow_up_months:
                    yield Endpoint(code, arm.name, time_months=months)


def _sizes(design: Design, outcomes: Outcomes) -> dict[str, int]:
    return {arm.name: int(outcomes.members(arm.name).sum()) for arm in design.arms}


def _status_counts(tables: Mapping[str, pl.DataFrame]) -> dict[str, int]:
    counted = tables["adsl"]["RCODE"].value_counts(sort=True)
    return dict(sorted(counted.iter_rows()))
