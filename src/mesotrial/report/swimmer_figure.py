"""The swimmer plot: one lane a patient, from randomisation to the end of follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.report.response_figures import evenly
from mesotrial.report.svg import (
    INK,
    PAPER,
    RESPONSES,
    WIDTH,
    arm_colour,
    figure,
    heading,
    inline_svg,
    months_axis,
    plain_axes,
)
from mesotrial.trial.tables import DAYS_PER_MONTH

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST_LANES", "Lanes", "arm_lanes", "swimmer_figure"]

MOST_LANES = 40
_LANE, _TOP, _BOTTOM = 7.4, 56.0, 40.0


@dataclass(frozen=True)
class Lanes:
    """The patients of an arm, the longest followed first.

    `table` has a row a patient: USUBJID, response (best overall), treated, ended, responded, response_ended,
    progressed (months from randomisation, null where it did not happen) and died.
    """

    table: pl.DataFrame

    @property
    def last_month(self) -> float:
        """The last month of anybody's follow-up; 0 for nobody."""
        return float(self.table["ended"].to_numpy().max(initial=0.0))

    @property
    def shown(self) -> pl.DataFrame:
        """At most `MOST_LANES` rows, evenly spread."""
        return self.table[evenly(self.table.height, MOST_LANES)]


def arm_lanes(tables: Mapping[str, pl.DataFrame], arm: str) -> Lanes:
    """Read the lanes of `arm`."""
    import polars as pl

    def of(name: str, parameter: str) -> pl.DataFrame:
        return tables[name].filter((pl.col("TRT01P") == arm) & (pl.col("PARAMCD") == parameter))

    months = pl.col("ADY") / DAYS_PER_MONTH
    death = pl.col("EVNTDESC").str.to_lowercase().str.contains("death")
    progressed = of("adtte", "PFS").filter((pl.col("CNSR") == 0) & ~death)
    parts = (
        of("adrs", "BOR").select("USUBJID", response="AVALC"),
        of("adtte", "TTR").select("USUBJID", responded=months),
        of("adtte", "DOR").select("USUBJID", response_ended=months),
        progressed.select("USUBJID", progressed=months),
    )
    lanes = (
        tables["adsl"]
        .filter(pl.col("TRT01P") == arm)
        .select(
            "USUBJID",
            treated=pl.col("TRTEDY") / DAYS_PER_MONTH,
            ended=pl.col("EOSDY") / DAYS_PER_MONTH,
            died=pl.col("EOSSTT") == "DEAD",
        )
    )
    for part in parts:
        lanes = lanes.join(part, on="USUBJID", how="left")
    return Lanes(lanes.sort(["ended", "USUBJID"], descending=[True, False]))


def swimmer_figure(lanes: Lanes, label: str, place: int, last_month: float) -> str:
    """Return the swimmer plot of the arm at `place` in the design, up to `last_month`, as inline SVG."""
    shown = lanes.shown
    count = max(shown.height, 6)
    tall = _TOP + count * _LANE + _BOTTOM
    drawn = figure(tall)
    heading(drawn, label)
    axes = plain_axes(drawn, 14, _BOTTOM, 14, _TOP)
    axes.grid(visible=False)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    lane = np.arange(shown.height)
    number = {
        name: shown[name].to_numpy() for name in ("treated", "ended", "responded", "response_ended", "progressed")
    }
    dead, response = shown["died"].to_numpy(), shown["response"].to_list()
    colour = arm_colour(place)
    thick: dict[str, Any] = {"height": 0.72, "linewidth": 0}
    axes.barh(lane, number["ended"], color=colour, alpha=0.25, **thick)
    axes.barh(lane, np.nan_to_num(number["treated"]), color=colour, alpha=0.8, **thick)
    for i in np.flatnonzero(~np.isnan(number["responded"])):
        ends = number["responded"][i], number["response_ended"][i]
        axes.plot(ends, [i, i], color=PAPER, linewidth=3.3, solid_capstyle="butt")
        axes.plot(ends, [i, i], color=RESPONSES[response[i] or "NE"], linewidth=2.2, solid_capstyle="butt")
    for name, where, look in _marks(number, dead):
        axes.plot(number[name][where], lane[where], linestyle="none", clip_on=False, **look)
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlim(0, max(last_month, 6.0) * 1.02)
    axes.set_yticks([])
    months_axis(axes)
    _legend(drawn, axes, tall, colour, {name for name in response if name in ("CR", "PR")})
    return inline_svg(drawn, f"swimmer-{place}", f"Swimmer plot, {label}")


_PROGRESSED: Mapping[str, Any] = {
    "marker": "o", "color": INK, "markerfacecolor": PAPER, "markersize": 3.6, "markeredgewidth": 1.0,
}  # fmt: skip
_DIED: Mapping[str, Any] = {"marker": "x", "color": INK, "markersize": 4.2, "markeredgewidth": 1.3}
_GOES_ON: Mapping[str, Any] = {"marker": ">", "color": INK, "markersize": 3.6, "markeredgewidth": 0}


def _marks(number: Mapping[str, Any], dead: Any) -> tuple[tuple[str, Any, Mapping[str, Any]], ...]:
    return (
        ("progressed", ~np.isnan(number["progressed"]), _PROGRESSED),
        ("ended", dead, _DIED),
        ("ended", ~dead, _GOES_ON),
    )


def _legend(drawn: Figure, axes: Axes, tall: float, colour: str, responses: set[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    box: dict[str, Any] = {"linewidth": 0, "color": colour}
    items: list[tuple[Any, str]] = [
        (Rectangle((0, 0), 1, 1, alpha=0.8, **box), "on treatment"),
        (Rectangle((0, 0), 1, 1, alpha=0.25, **box), "followed"),
        *((Line2D([], [], color=RESPONSES[name], linewidth=2.6), f"in {name}") for name in sorted(responses)),
        (Line2D([], [], linestyle="none", **_PROGRESSED), "progression"),
        (Line2D([], [], linestyle="none", **_DIED), "death"),
        (Line2D([], [], linestyle="none", **_GOES_ON), "alive"),
    ]
    handles, labels = zip(*items, strict=True)
    axes.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(4 / WIDTH, 1 - 25 / tall),
        bbox_transform=drawn.transFigure,
        ncols=-(-len(items) // 2),
        handlelength=1.1,
        handleheight=0.8,
        columnspacing=1.0,
        handletextpad=0.4,
        labelspacing=0.25,
        borderaxespad=0,
        borderpad=0,
    )
