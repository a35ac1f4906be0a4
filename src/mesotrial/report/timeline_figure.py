"""The design as a timeline: doses and scans of the first months, arm by arm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mesotrial.report.svg import INK, MUTED, arm_colour, figure, inline_svg, plain_axes

if TYPE_CHECKING:
    from mesotrial.catalogue import Arm, Design

__all__ = ["timeline_figure"]

_WEEKS = 36
_ROW, _HEAD = 33.0, 24.0


def timeline_figure(design: Design) -> str:
    """Return doses (ticks) and scans (triangles) of the first 36 weeks as inline SVG."""
    rows = [(place, arm, list(_regimens(arm))) for place, arm in enumerate(design.arms)]
    tall = sum(_HEAD + _ROW * len(lines) for _, _, lines in rows) + _ROW
    drawn = figure(tall + 52)
    axes = plain_axes(drawn, 12, 40, 12, 12)
    axes.grid(visible=False)
    axes.grid(axis="x")
    axes.set(xlim=(-0.6, _WEEKS + 0.6), ylim=(tall, 0), yticks=[], xticks=range(0, _WEEKS + 1, 6))
    axes.set_xlabel("Weeks since randomisation")
    axes.spines["left"].set_visible(False)
    down = 0.0
    for place, arm, lines in rows:
        axes.text(
            -0.3,
            down + 13,
            f"{arm.label}, {arm.n} patients",
            weight="bold",
            va="center",
            color=arm_colour(place),
            fontsize=11,
        )
        down += _HEAD
        for text, days in lines:
            axes.text(-0.3, down + 7, text, va="center", fontsize=10.5, color=INK)
            weeks = [day / 7 for day in days if day <= _WEEKS * 7]
            axes.plot(weeks, [down + 22] * len(weeks), "|", color=arm_colour(place), markersize=9, markeredgewidth=2)
            down += _ROW
    scans = [day / 7 for day in design.scans.scan_days(_WEEKS * 7)]
    axes.text(
        -0.3, down + 7, f"Scans every {_scan_words(design.scans.every_weeks)}", va="center", fontsize=10.5, color=INK
    )
    axes.plot([0, *scans], [down + 22] * (len(scans) + 1), "v", color=MUTED, markersize=6)
    return inline_svg(drawn, "timeline", "Timeline of doses and scans in the first 36 weeks")


def _regimens(arm: Arm) -> Iterator[tuple[str, tuple[float, ...]]]:
    until = _WEEKS * 7.0 + 1
    for regimen in arm.regimens:
        yield regimen.text, regimen.dose_days(until)
    for choice in arm.one_of:
        for regimen in choice.regimens:
            yield f"{100 * choice.share:.0f} % get {regimen.text}", regimen.dose_days(until)


def _scan_words(every_weeks: str) -> str:
    first, _, later = every_weeks.partition(" to ")
    if not later:
        return f"{first} weeks"
    until, _, then = later.partition("w then ")
    return f"{first} weeks to week {until}, then every {then}"
