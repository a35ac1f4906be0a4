"""Simulated survival curves with what was published drawn on them, one trial after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesotrial.analysis import codes, kaplan_meier
from mesotrial.catalogue import digitised_curves
from mesotrial.report.svg import arm_colour, drawing, figure, heading, inline_svg, months_axis, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["overlay_figure"]

_NAMES = {"PFS": "Progression-free survival", "OS": "Overall survival"}


def overlay_figure(board: Mapping[str, Any], about: Mapping[str, Any], parameter: str) -> str:
    """Return `parameter` (``PFS``, ``OS``) of one simulated trial of a scoreboard as inline SVG, published values on it.

    Lines are simulated; dots are published landmarks and medians with their 95 % intervals, thin steps digitised curves.
    """
    trial = about["trial"]
    with drawing():
        drawn = figure(260.0)
        axes = plain_axes(drawn, 50, 40, 14, 44)
        curves = [one for one in about["curves"] if one["parameter"] == parameter]
        for place, one in enumerate(curves):
            shares = [100 * share for share in one["share"]]
            axes.plot(one["months"], shares, color=arm_colour(place), linewidth=2, label=one["arm"])
            mine = [row for row in board["rows"] if _belongs(row, trial, one["arm"])]
            _published(axes, mine, parameter, arm_colour(place))
            _digitised(axes, trial, parameter, one["arm"], arm_colour(place))
        axes.set_ylim(0, 100)
        axes.set_xlim(0, max((one["months"][-1] for one in curves if one["months"]), default=12))
        months_axis(axes)
        axes.set_ylabel("Patients, %")
        axes.legend(loc="upper right")
        heading(drawn, f"{trial}: {_NAMES[parameter].lower()}")
        return inline_svg(drawn, f"overlay-{about['design']}-{parameter.lower()}", f"{_NAMES[parameter]} in {trial}")


def _belongs(row: Mapping[str, Any], trial: str, arm: str) -> bool:
    whole = row["subgroup"] == "all" and row["comparator"] is None
    return bool(row["trial"] == trial and row["arm"] == arm and whole and row["published"] is not None)


def _published(axes: Axes, rows: Sequence[Mapping[str, Any]], parameter: str, colour: str) -> None:
    for row in rows:
        code, low, high = row["code"], row["published_lo"], row["published_hi"]
        if code == f"{parameter}_RATE":
            x, y, ends = row["time_months"], 100 * row["published"], (low, high)
            if None not in ends:
                axes.plot([x, x], [100 * low, 100 * high], color=colour, linewidth=1, alpha=0.7)
        elif code == f"{parameter}_MEDIAN" and codes.is_median(code):
            x, y = row["published"], 50.0
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=colour, linewidth=1, alpha=0.7)
        else:
            continue
        axes.plot([x], [y], marker="o", markersize=5, color=colour, markeredgecolor="white", zorder=5)


def _digitised(axes: Axes, trial: str, parameter: str, arm: str, colour: str) -> None:
    curve = digitised_curves(trial, parameter).get(arm)
    if curve is not None:
        months, share = kaplan_meier(curve.months, curve.event).steps()
        axes.step(months, 100 * share, where="post", color=colour, linewidth=0.9, alpha=0.8)
