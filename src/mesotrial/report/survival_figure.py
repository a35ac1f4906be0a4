"""The Kaplan-Meier figure: curves with prediction bands, censor ticks, published landmarks, and the risk table under the axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.analysis import Outcomes, Predictor, kaplan_meier, risk_table
from mesotrial.report.svg import (
    INK,
    MUTED,
    PAPER,
    WIDTH,
    arm_colour,
    arm_dashes,
    figure,
    heading,
    inline_svg,
    plain_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mesotrial.catalogue import Design

__all__ = ["Landmark", "landmarks", "survival_figure"]

_LEFT, _RIGHT, _TOP, _AXES, _LINE = 68.0, 14.0, 30.0, 205.0, 14.5
_GRID_POINTS = 97


@dataclass(frozen=True)
class Landmark:
    """A published number on a curve: survival at a time with its interval, or (across) a median time with its own."""

    arm: str
    months: float
    survival: float
    lower: float | None
    upper: float | None
    across: bool


def landmarks(rows: Sequence[Mapping[str, Any]], parameter: str) -> list[Landmark]:
    """Return the scored published rates and medians of OS or PFS, for all patients of an arm."""
    found = []
    for row in rows:
        if row["scored"] != "yes" or row["subgroup"] != "all" or row["published"] is None:
            continue
        ends = row["published_lo"], row["published_hi"]
        if row["code"] == f"{parameter}_RATE":
            found.append(Landmark(row["arm"], row["time_months"], row["published"], *ends, across=False))
        elif row["code"] == f"{parameter}_MEDIAN":
            found.append(Landmark(row["arm"], row["published"], 0.5, *ends, across=True))
    return found


def survival_figure(
    parameter: str, design: Design, trial: Outcomes, predictor: Predictor, marks: Sequence[Landmark], title: str
) -> str:
    """Return the figure of `parameter` (OS or PFS) as inline SVG."""
    arms = design.arms
    last = max((trial.survival(parameter, arm.name).months.max(initial=0.0) for arm in arms), default=0.0)
    last = min(
        max(last, *(mark.months for mark in marks), 6.0) if marks else max(last, 6.0), 1.5 * design.follow_up_months
    )
    ticks = _ticks(last)
    bottom = 44 + len(arms) * 4 * _LINE + 6
    top = _TOP + len(arms) * _LINE
    drawn = figure(top + _AXES + bottom)
    heading(drawn, title)
    axes = plain_axes(drawn, _LEFT, bottom, _RIGHT, top)
    axes.set(xlim=(0, last), ylim=(0, 1.03), xticks=ticks, yticks=np.linspace(0, 1, 5))
    axes.set_yticklabels([f"{100 * tick:.0f} %" for tick in np.linspace(0, 1, 5)])
    axes.set_xlabel("Months since randomisation")

    grid = np.linspace(0, last, _GRID_POINTS)
    for place, arm in enumerate(arms):
        colour = arm_colour(place)
        patients = trial.survival(parameter, arm.name)
        if patients.months.size == 0:
            continue
        lower, upper = predictor.band(parameter, arm.name, arm.n, grid)
        axes.fill_between(grid, lower, upper, color=colour, alpha=0.16, linewidth=0)
        curve = kaplan_meier(patients.months, patients.event)
        axes.step(*curve.steps(), where="post", color=colour, linewidth=1.9, linestyle=arm_dashes(place))
        lost = curve.times[curve.censored > 0]
        axes.plot(lost, [curve.at(time)[0] for time in lost], "|", color=colour, markersize=5.2, markeredgewidth=1)
        _legend_line(axes, place, len(arms), f"{arm.label} (n = {patients.months.size})")
    _draw_landmarks(axes, marks, [arm.name for arm in arms])
    _risk_rows(axes, design, trial, parameter, ticks)
    return inline_svg(drawn, f"km-{parameter.lower()}", title)


def _legend_line(axes: Axes, place: int, arms: int, text: str) -> None:
    """Name an arm above the axes, after a piece of its line."""
    from matplotlib.lines import Line2D

    across = WIDTH - _LEFT - _RIGHT
    y = 1 + (8 + (arms - 1 - place) * _LINE) / _AXES
    look: dict[str, Any] = {"color": arm_colour(place), "linewidth": 1.9, "linestyle": arm_dashes(place)}
    axes.add_line(Line2D([0, 26 / across], [y, y], transform=axes.transAxes, clip_on=False, **look))
    axes.text(32 / across, y, text, transform=axes.transAxes, va="center")


def _draw_landmarks(axes: Axes, marks: Sequence[Landmark], arms: Sequence[str]) -> None:
    """Draw published numbers as open diamonds with their intervals; arms lie side by side where they share a place."""
    reach = axes.get_xlim()[1]
    for mark in marks:
        if mark.arm not in arms or mark.months > reach:
            continue
        place = arms.index(mark.arm)
        colour = arm_colour(place)
        aside = (place - (len(arms) - 1) / 2) * 0.026
        x, y = (mark.months, mark.survival - aside) if mark.across else (mark.months + aside * reach, mark.survival)
        if mark.lower is not None and mark.upper is not None:
            ends = ([mark.lower, min(mark.upper, reach)], [y, y]) if mark.across else ([x, x], [mark.lower, mark.upper])
            axes.plot(*ends, color=PAPER, linewidth=3.8, solid_capstyle="butt", zorder=4)
            axes.plot(*ends, color=colour, linewidth=1.7, solid_capstyle="butt", zorder=4.1)
        diamond: dict[str, Any] = {"marker": "D", "clip_on": False, "markerfacecolor": PAPER, "markeredgewidth": 1.7}
        axes.plot([x], [y], color=PAPER, markersize=7.5, markeredgecolor=PAPER, zorder=5, **diamond)
        axes.plot([x], [y], color=colour, markersize=5.2, markeredgecolor=colour, zorder=5.1, **diamond)


def _risk_rows(axes: Axes, design: Design, trial: Outcomes, parameter: str, ticks: Sequence[float]) -> None:
    """Write at risk, events and censored of each arm under the ticks they belong to."""
    drop = 44.0
    for place, arm in enumerate(design.arms):
        patients = trial.survival(parameter, arm.name)
        counts = risk_table(patients.months, patients.event, ticks)
        _under(axes, 0, drop, arm.label, arm_colour(place), left=True, weight="bold", outside=True)
        for name, numbers in (("At risk", counts.at_risk), ("Events", counts.events), ("Censored", counts.censored)):
            drop += _LINE
            _under(axes, 0, drop, name, MUTED, left=True, outside=True)
            for tick, number in zip(ticks, numbers, strict=True):
                _under(axes, tick, drop, str(number), INK)
        drop += _LINE


def _under(
    axes: Axes,
    x: float,
    drop: float,
    text: str,
    colour: str,
    *,
    left: bool = False,
    weight: str = "normal",
    outside: bool = False,
) -> None:
    """Write `text` the given points below the axes, under `x` or at the figure's left edge."""
    axes.annotate(
        text,
        (x, 0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-_LEFT + 2 if outside else 0, -drop),
        textcoords="offset points",
        ha="left" if left else "center",
        va="center",
        fontsize=10.5,
        color=colour,
        weight=weight,
        annotation_clip=False,
    )


def _ticks(last: float) -> list[float]:
    """Return at most eight ticks from 0 to `last`, a whole number of months apart."""
    step = next(size for size in (1, 2, 3, 6, 12, 24, 60, 120) if last / size < 8)
    return [float(step * i) for i in range(int(last / step + 1e-9) + 1)]
