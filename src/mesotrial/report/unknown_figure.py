"""The figure of what nobody knows: the range in which a survival curve might lie, and no curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.report.survival_figure import draw_landmarks, landmarks, month_ticks
from mesotrial.report.svg import (
    LEGEND_LINE,
    arm_colour,
    arm_dashes,
    figure,
    heading,
    inline_svg,
    legend_line,
    plain_axes,
)

if TYPE_CHECKING:
    from mesotrial.catalogue import Design

__all__ = ["unknown_figure"]

_LEFT, _RIGHT, _TOP, _AXES, _BOTTOM = 52.0, 14.0, 30.0, 205.0, 44.0


def unknown_figure(
    parameter: str, title: str, design: Design, bands: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> str:
    """Return the `bands` (of summary.json) of OS or PFS as inline SVG, with published numbers of these arms from `rows`."""
    places = {arm.name: place for place, arm in enumerate(design.arms)}
    mine = [band for band in bands if band["parameter"] == parameter]
    last = max([6.0, *(band["months"][-1] for band in mine if band["months"])])
    drawn = figure(_TOP + len(mine) * LEGEND_LINE + _AXES + _BOTTOM)
    heading(drawn, f"{title}: not known")
    axes = plain_axes(drawn, _LEFT, _BOTTOM, _RIGHT, _TOP + len(mine) * LEGEND_LINE)
    axes.set(xlim=(0, last), ylim=(0, 1.03), xticks=month_ticks(last), yticks=np.linspace(0, 1, 5))
    axes.set_yticklabels([f"{100 * tick:.0f} %" for tick in np.linspace(0, 1, 5)])
    axes.set_xlabel("Months since randomisation")
    for line, band in enumerate(mine):
        place = places[band["arm"]]
        arm, colour = design.arms[place], arm_colour(place)
        axes.fill_between(band["months"], band["lo90"], band["hi90"], color=colour, alpha=0.22, linewidth=0)
        for edge in ("lo90", "hi90"):
            axes.plot(band["months"], band[edge], color=colour, linewidth=0.8, linestyle=arm_dashes(place))
        legend_line(axes, place, len(mine), arm.label, arm.n, _AXES, _LEFT, line=line)
    seen = {band["arm"] for band in mine}
    marks = [mark for mark in landmarks(rows, parameter, context=True) if mark.arm in seen]
    draw_landmarks(axes, marks, [arm.name for arm in design.arms])
    return inline_svg(
        drawn, f"unknown-{parameter.lower()}", f"{title}: not known, with the range in which it might lie"
    )
