"""The Kaplan-Meier figure: curves with prediction bands, censor ticks, published landmarks, and the risk table under the axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mesotrial.analysis import (
    Endpoint,
    KaplanMeier,
    Outcomes,
    Predictor,
    Survival,
    kaplan_meier,
    risk_table,
)
from mesotrial.report.response_figures import evenly
from mesotrial.report.svg import (
    INK,
    MUTED,
    PAPER,
    arm_colour,
    arm_dashes,
    figure,
    heading,
    inline_svg,
    legend_line,
    plain_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mesotrial.catalogue import Design

__all__ = [
    "ArmCurve",
    "Landmark",
    "SurvivalCurves",
    "draw_landmarks",
    "landmarks",
    "month_ticks",
    "survival_curves",
    "survival_figure",
]

MOST_TICKS = 400  # of censored patients, evenly spread

FloatArray = npt.NDArray[np.float64]

_LEFT, _RIGHT, _TOP, _AXES, _LINE = 68.0, 14.0, 30.0, 205.0, 14.5
_GRID_POINTS = 97
_MOST_STEPS = 1500  # of a curve: more would not show


@dataclass(frozen=True)
class Landmark:
    """A published number on a curve: survival at a time with its interval, or (across) a median time with its own."""

    arm: str
    months: float
    survival: float
    lower: float | None
    upper: float | None
    across: bool


def landmarks(rows: Sequence[Mapping[str, Any]], parameter: str, *, context: bool = False) -> list[Landmark]:
    """Return the scored published rates and medians of OS, PFS or DOR, for all patients of an arm; with `context` those of context trials too."""
    found = []
    for row in rows:
        if (
            (row["scored"] != "yes" and not (context and row["role"] == "context"))
            or row["subgroup"] != "all"
            or row["published"] is None
        ):
            continue
        ends = row["published_lo"], row["published_hi"]
        if row["code"] == f"{parameter}_RATE":
            found.append(Landmark(row["arm"], row["time_months"], row["published"], *ends, across=False))
        elif row["code"] == f"{parameter}_MEDIAN":
            found.append(Landmark(row["arm"], row["published"], 0.5, *ends, across=True))
    return found


@dataclass(frozen=True)
class ArmCurve:
    """The curve of one arm: its patients, their Kaplan-Meier curve, and the 90 % band of new trials on the grid."""

    name: str
    label: str
    patients: Survival
    curve: KaplanMeier
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class SurvivalCurves:
    """What a figure of `parameter` (OS, PFS or DOR) shows: `grid` in months, one curve an arm, published numbers."""

    parameter: str
    last: float
    grid: FloatArray
    arms: tuple[ArmCurve, ...]
    marks: tuple[Landmark, ...]

    @property
    def has_more_ticks(self) -> bool:
        """Whether some arm has more censored times than are drawn."""
        return any(np.count_nonzero(arm.curve.censored) > MOST_TICKS for arm in self.arms)

    @property
    def is_empty(self) -> bool:
        """Whether no arm has a patient."""
        return not any(arm.patients.months.size for arm in self.arms)


def survival_curves(
    parameter: str, design: Design, trial: Outcomes, predictor: Predictor, rows: Sequence[Mapping[str, Any]]
) -> SurvivalCurves:
    """Return the curves of `parameter`; bands are those of trials of the design's size (DOR: of its responders)."""
    marks = tuple(landmarks(rows, parameter))
    patients = {arm.name: trial.survival(parameter, arm.name) for arm in design.arms}
    last = max([6.0, *(one.months.max(initial=0.0) for one in patients.values()), *(mark.months for mark in marks)])
    last = min(float(last), 1.5 * design.follow_up_months)
    grid = np.linspace(0, last, _GRID_POINTS)
    arms = []
    for arm in design.arms:
        mine = patients[arm.name]
        size = predictor.trial_size(Endpoint(f"{parameter}_MEDIAN", arm.name), None)
        lower, upper = predictor.band(parameter, arm.name, size, grid)
        arms.append(ArmCurve(arm.name, arm.label, mine, kaplan_meier(mine.months, mine.event), lower, upper))
    return SurvivalCurves(parameter, last, grid, tuple(arms), marks)


def survival_figure(curves: SurvivalCurves, title: str) -> str:
    """Return the figure of `curves` as inline SVG."""
    arms = curves.arms
    ticks = month_ticks(curves.last)
    bottom = 44 + len(arms) * 4 * _LINE + 6
    top = _TOP + len(arms) * _LINE
    drawn = figure(top + _AXES + bottom)
    heading(drawn, title)
    axes = plain_axes(drawn, _LEFT, bottom, _RIGHT, top)
    axes.set(xlim=(0, curves.last), ylim=(0, 1.03), xticks=ticks, yticks=np.linspace(0, 1, 5))
    axes.set_yticklabels([f"{100 * tick:.0f} %" for tick in np.linspace(0, 1, 5)])
    axes.set_xlabel(f"Months since {'the first response' if curves.parameter == 'DOR' else 'randomisation'}")
    for place, arm in enumerate(arms):
        if arm.patients.months.size == 0:
            continue
        colour = arm_colour(place)
        axes.fill_between(curves.grid, arm.lower, arm.upper, color=colour, alpha=0.16, linewidth=0)
        times, heights = arm.curve.steps()
        steps = evenly(times.size, _MOST_STEPS)
        axes.step(times[steps], heights[steps], where="post", color=colour, linewidth=1.9, linestyle=arm_dashes(place))
        lost = np.flatnonzero(arm.curve.censored)
        lost = lost[evenly(lost.size, MOST_TICKS)]
        heights = arm.curve.survival[lost]
        axes.plot(arm.curve.times[lost], heights, "|", color=colour, markersize=5.2, markeredgewidth=1)
        legend_line(axes, place, len(arms), arm.label, arm.patients.months.size, _AXES, _LEFT)
    draw_landmarks(axes, curves.marks, [arm.name for arm in arms])
    _risk_rows(axes, arms, ticks)
    return inline_svg(drawn, f"km-{curves.parameter.lower()}", title)


def draw_landmarks(axes: Axes, marks: Sequence[Landmark], arms: Sequence[str]) -> None:
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


def _risk_rows(axes: Axes, arms: Sequence[ArmCurve], ticks: Sequence[float]) -> None:
    """Write at risk, events and censored of each arm under the ticks they belong to."""
    drop = 44.0
    for place, arm in enumerate(arms):
        patients = arm.patients
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


def month_ticks(last: float) -> list[float]:
    """Return at most eight ticks from 0 to `last`, a whole number of months apart."""
    step = next(size for size in (1, 2, 3, 6, 12, 24, 60, 120) if last / size < 8)
    return [float(step * i) for i in range(int(last / step + 1e-9) + 1)]
