"""What became of people after their treatment ended, in words: simulated, on the patient page, and published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesotrial.catalogue import Design

__all__ = ["CLAIMS", "relapse_claims", "relapse_rows"]

CLAIMS = ("s95", "s96")  # statements of the patient page about relapse after stopping


def relapse_rows(design: Design, relapse: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headings and the rows of the table of `relapse` (of summary.json); times are counted from the last dose."""
    labels = {arm.name: arm.label for arm in design.arms}
    months = sorted({part["months"] for one in relapse for part in one["within"]})
    headings = ("Arm", "Of the arm", *(f"In {time:g} months" for time in months))
    headings += ("Half by, months", "From escaped cells")
    rows = []
    for one in relapse:
        within, known = {part["months"]: part for part in one["within"]}, not one["exploratory"]
        rows.append(
            (
                labels[one["arm"]],
                _percent(one["share"]),
                *(_with_range(within[time], 100, " %", known) if time in within else "" for time in months),
                _with_range(one["median_months"], 1, "", known),
                _percent(one["escaped_share"]),
            )
        )
    return headings, rows


def relapse_claims() -> Iterator[tuple[str, str, str, str]]:
    """Yield, for each claim of the patient page about relapse, its id, the claim, what is known, and the source."""
    from mesotrial.catalogue import statements

    for one in statements():
        if one.id in CLAIMS:
            yield one.id, one.statement, one.what_is_known, one.source


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{100 * share:.0f} %"


def _with_range(part: Mapping[str, float | None], factor: float, unit: str, known: bool) -> str:
    """Write a value and its range: ``41 % (33–50)``, ``not known (20–64)``, ``not reached``; a dash where nobody was followed so long."""
    value, low, high = (None if part[name] is None else factor * part[name] for name in ("simulated", "lo90", "hi90"))  # type: ignore[operator]
    digits = 0 if unit else 1
    if value is None and known:
        return "–" if unit else "not reached"
    ends = "" if low is None else f" ({low:.{digits}f}–{'n.r.' if high is None else f'{high:.{digits}f}'})"
    if value is None:
        return ("not known" if ends else "not reached") + ends
    return f"{value:.{digits}f}{unit}{ends}"
