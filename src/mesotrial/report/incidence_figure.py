"""Cumulative incidence of side effects, death before them as the competing event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.analysis import CumulativeIncidence, cumulative_incidence, first_event
from mesotrial.report import words
from mesotrial.report.response_figures import evenly
from mesotrial.report.svg import (
    INK,
    LEGEND_LINE,
    arm_colour,
    arm_dashes,
    figure,
    heading,
    inline_svg,
    legend_line,
    months_axis,
    plain_axes,
)

if TYPE_CHECKING:
    import polars as pl

    from mesotrial.catalogue import Design

__all__ = ["KINDS", "ArmIncidence", "Incidence", "arm_incidence", "incidence_figure"]

KINDS = ((1, "First side effect of any grade"), (3, "First side effect of grade 3 or worse"))
_LEFT, _AXES, _BOTTOM = 46.0, 190.0, 40.0
_BAND_POINTS, _MOST_STEPS = 60, 1500


@dataclass(frozen=True)
class ArmIncidence:
    """The treated patients of one arm, `n` of them."""

    name: str
    label: str
    n: int
    curve: CumulativeIncidence


@dataclass(frozen=True)
class Incidence:
    """First side effects of at least `grade`, arm by arm."""

    grade: int
    title: str
    arms: tuple[ArmIncidence, ...]

    @property
    def last(self) -> float:
        """The last month of follow-up."""
        return max((float(arm.curve.times[-1]) for arm in self.arms if arm.n), default=0.0)

    @property
    def sentences(self) -> list[str]:
        """Say for each arm the share with the event by a whole number of months, with its 95 % interval."""
        by = 12.0 if self.last >= 12 else 6.0
        found = []
        for arm in self.arms:
            value, low, high = arm.curve.at(by)
            if not np.isnan(value):
                within = "" if np.isnan(low) else f" (95{words.NO_BREAK}% interval {100 * low:.0f} to {100 * high:.0f})"
                share = words.percent(value, rounded=True)
                found.append(f"{arm.label}: {share} by {by:.0f}{words.NO_BREAK}months{within}.")
        return found


def arm_incidence(tables: Mapping[str, pl.DataFrame], design: Design, grade: int, title: str) -> Incidence:
    """Return the incidence of first side effects of at least `grade` in each arm."""
    arms = []
    for arm in design.arms:
        months, cause = first_event(tables, arm.name, grade=grade)
        arms.append(ArmIncidence(arm.name, arm.label, months.size, cumulative_incidence(months, cause)))
    return Incidence(grade, title, tuple(arms))


def incidence_figure(incidence: Incidence) -> str:
    """Return the curves, their 95 % bands, and (dotted) deaths before any such event, as inline SVG."""
    arms = incidence.arms
    top = 30 + len(arms) * LEGEND_LINE
    drawn = figure(top + _AXES + _BOTTOM)
    heading(drawn, incidence.title)
    axes = plain_axes(drawn, _LEFT, _BOTTOM, 14, top)
    last = max(incidence.last, 6.0)
    axes.set(xlim=(0, last), ylim=(0, 1.03), yticks=np.linspace(0, 1, 5))
    axes.set_yticklabels([f"{100 * tick:.0f} %" for tick in np.linspace(0, 1, 5)])
    months_axis(axes)
    for place, arm in enumerate(arms):
        if arm.n == 0:
            continue
        colour, curve = arm_colour(place), arm.curve
        places = evenly(curve.times.size, _BAND_POINTS)
        _, lower, upper = curve.interval(places)
        axes.fill_between(curve.times[places], lower, upper, step="post", color=colour, alpha=0.16, linewidth=0)
        for height, style, width in ((curve.incidence, arm_dashes(place), 1.9), (curve.competing, (0, (1, 2)), 1.3)):
            steps = evenly(curve.times.size, _MOST_STEPS)
            x, y = np.append(curve.times[steps], last), np.append(height[steps], height[-1])
            x, y = np.append(0.0, x), np.append(0.0, y)
            axes.step(x, y, where="post", color=colour, linewidth=width, linestyle=style)
        legend_line(axes, place, len(arms), arm.label, arm.n, _AXES, _LEFT)
    axes.text(0.99, 0.985, "dotted: died before any", transform=axes.transAxes, ha="right", va="top", color=INK)
    return inline_svg(drawn, f"incidence-{incidence.grade}", incidence.title)
