"""Waterfall and spider of one arm: best change of each tumour, and each tumour over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mesotrial.report.svg import INK, MUTED, RESPONSES, figure, heading, inline_svg, months_axis, plain_axes
from mesotrial.trial.tables import DAYS_PER_MONTH

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ArmScans", "arm_scans", "evenly", "spider_figure", "waterfall_figure"]

MOST_BARS = 150
MOST_LINES = 60
_TALL = 274.0
_TOP_CHANGE = 100.0  # bars and lines end here; a bar that goes on carries a small triangle
_FloatArray = npt.NDArray[np.float64]

RESPONSE_WORDS: Mapping[str, str] = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "PD": "progression",
    "NE": "not evaluable",
}


@dataclass(frozen=True)
class ArmScans:
    """The scans of an arm's evaluable patients, ordered by best change (largest growth first).

    `subjects` are their ids, `best` is the best change from baseline in percent, `response` the best overall response, `new_lesion` whether one was seen;
    `days` and `changes` are one array per patient, baseline included. `unscanned` patients had no scan after baseline.
    """

    subjects: tuple[str, ...]
    best: _FloatArray
    response: tuple[str, ...]
    new_lesion: npt.NDArray[np.bool_]
    days: tuple[_FloatArray, ...]
    changes: tuple[_FloatArray, ...]
    unscanned: int

    @property
    def counts(self) -> dict[str, int]:
        """Patients by best overall response, those without a scan among the not evaluable."""
        found = Counter(self.response)
        found["NE"] += self.unscanned
        return {name: found[name] for name in RESPONSES}


def arm_scans(tables: Mapping[str, pl.DataFrame], arm: str) -> ArmScans:
    """Read the scans of `arm` up to progression."""
    import polars as pl

    scans = tables["adtr"].filter(
        (pl.col("TRT01P") == arm)
        & (pl.col("PARAMCD") == "SUMDIAM")
        & (pl.col("ANL01FL") == "Y")
        & pl.col("PCHG").is_not_null()
    )
    best = tables["adrs"].filter((pl.col("TRT01P") == arm) & (pl.col("PARAMCD") == "BOR")).select("USUBJID", "AVALC")
    later = scans.filter(pl.col("AVISITN") > 0)
    patients = (
        later.group_by("USUBJID", maintain_order=True)
        .agg(pl.col("PCHG").min().alias("best"), (pl.col("NEWLFL") == "Y").any().alias("new"))
        .join(best, on="USUBJID", how="left")
        .sort(["best", "USUBJID"], descending=[True, False])
    )
    lines = {
        who: (np.concatenate(([0.0], rows["ADY"].to_numpy())), np.concatenate(([0.0], rows["PCHG"].to_numpy())))
        for (who,), rows in later.sort("ADY").group_by("USUBJID", maintain_order=True)
    }
    order = patients["USUBJID"].to_list()
    everybody = tables["adsl"].filter(pl.col("TRT01P") == arm).height
    return ArmScans(
        tuple(order),
        patients["best"].to_numpy(),
        tuple(patients["AVALC"].fill_null("NE").to_list()),
        patients["new"].to_numpy(),
        tuple(lines[who][0] for who in order),
        tuple(lines[who][1] for who in order),
        everybody - len(order),
    )


def evenly(size: int, most: int) -> npt.NDArray[np.int64]:
    """Return at most `most` places among `size`, evenly spread and in order."""
    return (
        np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(np.int64)) if size else np.zeros(0, np.int64)
    )


def waterfall_figure(scans: ArmScans, label: str, place: int) -> str:
    """Return the waterfall of the arm at `place` in the design: one bar a patient, coloured by best overall response."""
    from matplotlib.collections import PolyCollection

    shown = evenly(scans.best.size, MOST_BARS)
    best = scans.best[shown]
    drawn = figure(_TALL)
    axes = _change_axes(drawn, 22, "Best change of each tumour")
    heading(drawn, label)
    colours = [RESPONSES[scans.response[i]] for i in shown]
    x, tops, half = np.arange(shown.size), np.minimum(best, _TOP_CHANGE), 0.43
    zero = np.zeros(shown.size)
    corners = [(x - half, zero), (x - half, tops), (x + half, tops), (x + half, zero)]
    bars = np.stack([np.column_stack(corner) for corner in corners], axis=1)
    axes.add_collection(PolyCollection(list(bars), facecolors=colours, linewidths=0), autolim=False)
    for i in np.flatnonzero(best > _TOP_CHANGE):
        axes.plot([i], [_TOP_CHANGE + 3], "^", color=colours[i], markersize=3.5, clip_on=False)
    for i in np.flatnonzero(scans.new_lesion[shown]):
        height = min(best[i], _TOP_CHANGE)
        axes.text(float(i), height + 4 if height >= 0 else height - 11, "*", ha="center", va="center", fontsize=10)
    axes.set_xlim(-1, max(shown.size, 10))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    _response_legend(axes, scans)
    drawn.text(0.56, 8 / _TALL, "One bar is one simulated patient", ha="center", va="center", fontsize=10)
    return inline_svg(drawn, f"waterfall-{place}", f"Waterfall plot, {label}")


def spider_figure(scans: ArmScans, label: str, place: int, follow_up_months: float) -> str:
    """Return the spider plot of the arm at `place` in the design: one line a patient from baseline to the last scan shown."""
    shown = evenly(scans.best.size, MOST_LINES)
    drawn = figure(_TALL)
    axes = _change_axes(drawn, 40, "Each tumour over time")
    heading(drawn, label)
    last = 6.0
    for i in shown[::-1]:
        time = scans.days[i] / DAYS_PER_MONTH
        last = max(last, float(time[-1]))
        colour = RESPONSES[scans.response[i]]
        axes.plot(
            time,
            np.minimum(scans.changes[i], _TOP_CHANGE),
            color=colour,
            linewidth=1.1,
            alpha=0.9,
            marker="o",
            markersize=1.8,
        )
    axes.set_xlim(0, min(last * 1.03, follow_up_months * 1.2))
    axes.axhline(0, color=MUTED, linewidth=0.8)
    months_axis(axes)
    _response_legend(axes, scans, numbers=False)
    return inline_svg(drawn, f"spider-{place}", f"Spider plot, {label}")


def _change_axes(drawn: Figure, bottom: float, title: str) -> Axes:
    axes = plain_axes(drawn, 50, bottom, 44, 44)
    axes.set(ylim=(-104, 112), yticks=range(-100, 101, 50), title=title)
    axes.set_yticklabels(
        [f"{tick:+d} %".replace("-", "\N{MINUS SIGN}") if tick else "0 %" for tick in range(-100, 101, 50)]
    )
    for threshold, text in ((20, "+20 %"), (-30, "\N{MINUS SIGN}30 %")):
        axes.axhline(threshold, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=3)
        axes.annotate(
            text,
            (1, threshold),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    return axes


def _response_legend(axes: Axes, scans: ArmScans, *, numbers: bool = True) -> None:
    """Name the responses that occur, each in its colour, at the top."""
    from matplotlib.patches import Rectangle

    present = [(name, n) for name, n in scans.counts.items() if n and (name != "NE" or numbers)]
    handles = [Rectangle((0, 0), 1, 1, color=RESPONSES[name], linewidth=0) for name, _ in present]
    labels = [f"{name} {n}" if numbers else name for name, n in present]
    axes.legend(
        handles,
        labels,
        loc="upper right",
        ncols=len(present) or 1,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.0,
        handletextpad=0.4,
        borderaxespad=0,
    )
