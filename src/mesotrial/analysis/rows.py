"""Rows of summary.json and of the scoreboard: an endpoint, what a bank predicts of it, and what was published."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mesotrial.analysis import codes
from mesotrial.analysis.predict import Endpoint, Estimate, Predictor

if TYPE_CHECKING:
    from mesotrial.catalogue import PublishedResult

__all__ = [
    "endpoint_of",
    "endpoint_row",
    "inside",
    "number",
    "predicted_part",
    "published_part",
    "shown_value",
    "size_of",
]

# What is None in a row until somebody predicts, observes or publishes it.
_UNKNOWN = (
    *("label", "assessor", "role", "z", "inside90", "confidence", "ci_verified", "source", "doi"),
    *("simulated", "lo90", "hi90", "observed", "observed_lo", "observed_hi"),
    *("published", "published_lo", "published_hi", "published_level", "published_n", "page", "page_statement"),
)


def endpoint_of(result: PublishedResult) -> Endpoint:
    """Return the endpoint that a published result is about."""
    return Endpoint(result.code, result.arm, result.comparator or None, result.subgroup_code, result.time_months)


def size_of(result: PublishedResult) -> int | None:
    """Return the patients behind a published result, None where unknown."""
    return result.n_used or result.n


def endpoint_row(endpoint: Endpoint, trial: str) -> dict[str, Any]:
    """Return the row of an endpoint that nobody predicted or published."""
    return {
        "trial": trial,
        "arm": endpoint.arm,
        "comparator": endpoint.comparator,
        "subgroup": endpoint.subgroup,
        "code": endpoint.code,
        "time_months": endpoint.time_months,
        "scored": "no",
        "why_not": "not published",
        "exploratory": False,
    } | dict.fromkeys(_UNKNOWN)


def predicted_part(endpoint: Endpoint, predictor: Predictor, size: float | None) -> dict[str, Any]:
    """Return the large-sample value and the 90 % prediction interval for new trials of `size` patients."""
    predicted = predictor.interval(endpoint, size)
    return dict(zip(("simulated", "lo90", "hi90"), _numbers(predicted), strict=True))


def published_part(result: PublishedResult, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was published, and how well the prediction in `row` agrees with it."""
    value, lower, upper = (shown_value(given, result.unit) for given in (result.value, result.ci_low, result.ci_high))
    z = math.nan
    if result.scored and result.se and row["simulated"] is not None and value is not None:
        z = codes.z_score(result.code, row["simulated"], value, result.se, result.n_used)
    return {
        "label": result.endpoint,
        "assessor": result.assessor or None,
        "published": value,
        "published_lo": lower,
        "published_hi": upper,
        "published_level": result.ci_level,
        "published_n": size_of(result),
        "scored": "yes" if result.scored else "no",
        "why_not": result.why_not or None,
        "role": result.role,
        "z": number(z),
        "inside90": inside(value, row),
        "confidence": result.confidence,
        "ci_verified": result.ci_verified,
        "source": result.source,
        "doi": result.doi or None,
    }


def shown_value(value: float | None, unit: str) -> float | None:
    """Turn a published percentage into a fraction; leave months and ratios."""
    return round(value / 100, 12) if value is not None and unit == "%" else value


def number(value: float) -> float | None:
    """Return a number that JSON can hold: None for one that is not finite."""
    return float(value) if math.isfinite(value) else None


def _numbers(estimate: Estimate) -> tuple[float | None, ...]:
    return number(estimate.value), number(estimate.lower), number(estimate.upper)


def inside(value: float | None, row: Mapping[str, Any]) -> bool | None:
    """Say whether a published value lies in the interval; a missing upper bound with a lower one was not reached."""
    if value is None or row["lo90"] is None:
        return None
    return bool(row["lo90"] <= value <= (math.inf if row["hi90"] is None else row["hi90"]))
