"""What a model may be fitted to. Calibration code takes its targets from here and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesotrial.catalogue import PublishedResult

__all__ = ["RefusedTargetError", "calibration_targets", "refuse_unfit"]

_TOO_UNSURE = ("recalled-low", "recalled-low-medium")


class RefusedTargetError(ValueError):
    """A published result that no model may be fitted to; the message names its row and says why."""


def calibration_targets(trial: str) -> tuple[PublishedResult, ...]:
    """Return the published results of `trial` (any of its names) that a model may be fitted to.

    They are the scored rows of role calibration with a number and a standard error, seen or recalled with confidence.

    Raises:
        RefusedTargetError: the trial has no row of role calibration, as every trial kept for validation.
        UnknownNameError: no trial of the published results has this name.
    """
    from mesotrial.catalogue import published_results

    rows = published_results(trial, roles=("calibration",))
    if not rows:
        roles = sorted({row.role for row in published_results(trial)})
        raise RefusedTargetError(f"nothing of {trial} may be fitted: its results have the role {', '.join(roles)}")
    targets = tuple(row for row in rows if _why_unfit(row) is None)
    refuse_unfit(targets)
    return targets


def refuse_unfit(rows: Iterable[PublishedResult]) -> None:
    """Raise RefusedTargetError if any of `rows` may not be fitted: a last check for code that is handed its targets."""
    for row in rows:
        if why := _why_unfit(row):
            raise RefusedTargetError(
                f"row {row.row} of the published results ({row.trial}, {row.endpoint}) may not be fitted: {why}"
            )


def _why_unfit(row: PublishedResult) -> str | None:
    if row.role != "calibration":
        return f"its role is {row.role or 'empty'}, not calibration"
    if not row.scored:
        return f"it is not scored ({row.why_not or 'no reason given'})"
    if row.confidence in _TOO_UNSURE:
        return f"its confidence is {row.confidence}"
    return "it has no number or no standard error" if row.value is None or not row.se else None
