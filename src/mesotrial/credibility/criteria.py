"""The technical criteria of the credibility page, judged from a scoreboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["criteria"]

_FAMILIES = {"response": "response", "pfs": "progression", "os": "survival", "toxicity": "side effects"}
_BETTER = {
    "interval_score": "interval score",
    "rate_points_mae": "absolute error of rates",
    "median_percent_mae": "absolute error of medians",
}
_LEAST_GAIN = 0.2


def criteria(board: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return a row a criterion: what is asked for, what was found, and whether it is met; roles that were not scored are left out."""
    return [(asked, found, "yes" if met else "no") for asked, found, met in _judged(board)]


def _judged(board: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    rows = [row for row in board["rows"] if row["z"] is not None]
    fitted, held = (board["roles"].get(role, {"rows": 0}) for role in ("calibration", "validation"))
    if fitted["rows"] and fitted["mean_abs_z"] is not None:
        beyond = sum(abs(row["z"]) > 2.5 for row in rows if row["role"] == "calibration")
        yield "Calibration: mean |z| at most 0.7", f"{fitted['mean_abs_z']:.2f}", fitted["mean_abs_z"] <= 0.7
        yield "Calibration: none beyond 2.5", f"{beyond} beyond", beyond == 0
    if not held["rows"] or held["mean_abs_z"] is None:
        return
    low, high = held.get("inside90_lo95"), held.get("inside90_hi95")
    if low is not None and high is not None:
        found = f"{100 * held['inside90']:.0f} % (95 % interval {100 * low:.0f} to {100 * high:.0f})"
        yield "Validation: inside 90 % consistent with 90 %, by trial", found, low <= 0.9 <= high
    yield "Validation: mean |z| at most 0.9", f"{held['mean_abs_z']:.2f}", held["mean_abs_z"] <= 0.9
    for key, name in _BETTER.items():
        if (gain := _gain(held, key)) is not None:
            found = f"{100 * abs(gain):.0f} % {'better' if gain >= 0 else 'worse'}"
            yield f"Validation: {name} 20 % better than carrying over", found, gain >= _LEAST_GAIN
    gains = {
        name: {
            what: gain for key, what in _BETTER.items() if (gain := _gain(held["families"][family], key)) is not None
        }
        for family, name in _FAMILIES.items()
    }
    worse = {name: [what for what, gain in each.items() if gain <= 0] for name, each in gains.items()}
    found = "; ".join(f"not {name}: {', '.join(what)}" for name, what in worse.items() if what)
    if any(gains.values()):
        yield (
            "Validation: better than carrying over in each family",
            found or "better in each that both predict",
            not found,
        )


def _gain(scores: Mapping[str, Any], key: str) -> float | None:
    """Return by what share the model's figure is smaller than the baseline's, on the rows that both predict."""
    model, carried = scores["shared"][key], scores["shared"]["carry_over"][key]
    return None if model is None or not carried else 1.0 - model / carried
