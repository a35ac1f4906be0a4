"""The table of what each test would conclude from the trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesotrial.catalogue import Design

__all__ = ["test_lines"]

_WORDS = {
    "logrank": "log-rank",
    "maxcombo": "MaxCombo",
    "rmst": "restricted mean survival to month",
    "milestone": "survival at month",
}


def test_lines(summary: Mapping[str, Any], design: Design) -> list[dict[str, Any]]:
    """Return one line of words for each row of the summary's `tests`; empty where it has none."""
    patients = sum(summary["patients_per_arm"].values())
    labels = {arm.name: arm.label for arm in design.arms}
    lines = []
    for row in summary.get("tests", ()):
        lines.append(
            {
                "name": f"{row['endpoint']}: {_name(row['test'])}",
                "compared": f"{labels.get(row['arm'], row['arm'])} against {labels.get(row['comparator'], row['comparator'])}",
                "estimate": _estimate(row, row["estimate"]),
                "interval": ""
                if row["lower"] is None
                else f"{_estimate(row, row['lower'])} to {_estimate(row, row['upper'])}",
                "p": "cannot be done" if row["p_better"] is None else f"{row['p_better']:.3f}",
                "concludes": "" if row["concludes"] is None else "yes" if row["concludes"] else "no",
                "alpha": f"{row['alpha']:g}",
                "patients": patients,
            }
        )
    return lines


def _name(test: str) -> str:
    text = " ".join(_WORDS.get(word, word) for word in test.split())
    return text.replace("fh(", "Fleming-Harrington (")


def _estimate(row: Mapping[str, Any], value: float | None) -> str:
    if value is None:
        return ""
    match row["measure"]:
        case "difference_months":
            return f"{value:+.1f} months"
        case "difference_share":
            return f"{100 * value:+.0f} points"
    return f"{value:.2f}"


test_lines.__test__ = False  # type: ignore[attr-defined]  # not one of pytest's
