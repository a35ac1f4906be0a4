"""The picture of a comparison: survival curves, and outcomes of 100 people with what was published."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.comparison.outcomes import CURVE_MONTHS, OUTCOMES
from mesotrial.run import RequestError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mesotrial.comparison.comparing import Comparison, Option

__all__ = ["check_picture", "write_picture"]

_COLOURS = ("#0072b2", "#d55e00", "#008a63", "#b5568f", "#6a5acd", "#8a6d00")
_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.6)), (0, (2, 1.2)), (0, (6, 1.4, 1.2, 1.4)), (0, (1, 1)), (0, (8, 2)))
_INK, _MUTED = "#222222", "#666666"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mesotrial",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _MUTED,
    "text.color": _INK,
    "legend.frameon": False,
}
_TITLES = {"OS": "Alive", "PFS": "Alive without progression"}
_DOTS_PER_INCH = 150
_BAND_ALPHA = 0.22


def check_picture(path: Path) -> None:
    """Refuse a path that no picture can be written to, before any work is done."""
    if path.suffix.lower() not in (".svg", ".png"):
        raise RequestError(f"a picture must end in .svg or .png: {path}")
    if not path.parent.is_dir():
        raise RequestError(f"there is no folder {path.parent} to write {path.name} to")


def write_picture(comparison: Comparison, path: Path) -> Path:
    """Draw the comparison to `path`, whole or not at all, and return the path."""
    import matplotlib as mpl

    check_picture(path)
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        with mpl.rc_context(_STYLE):
            drawn = _figure(comparison)
            nothing = {"Date": None} if path.suffix.lower() == ".svg" else None
            drawn.savefig(draft, dpi=_DOTS_PER_INCH, metadata=nothing)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _figure(comparison: Comparison) -> Figure:
    from matplotlib.figure import Figure

    count = len(comparison.options)
    rows = len(OUTCOMES) * (0.2 + 0.17 * count)
    tall = 4.1 + 0.26 * count + rows
    drawn = Figure(figsize=(9.0, tall), layout="constrained", facecolor="white")
    parts: Any = drawn.subfigures(2, 1, height_ratios=[3.0 + 0.26 * count, rows + 1.1])
    top, bottom = parts
    panels: Any = top.subplots(1, 2, sharey=True)
    for axes, name in zip(panels, _TITLES, strict=True):
        _curves(axes, comparison, name)
    handles, labels = panels[0].get_legend_handles_labels()
    top.legend(handles, labels, loc="outside lower center", ncols=1)
    top.suptitle(f"Simulated people: {comparison.person.text}", fontsize=11, weight="bold", x=0.01, ha="left")
    lower: Any = bottom.subplots()
    _outcomes(lower, comparison)
    bottom.supxlabel(
        "Bars hold 90 % of groups like the published trials; one without a dot: not known, anywhere in it.\n"
        "Diamonds: published, all patients of the nearest trial, where it gave this treatment in this line. "
        "A simulation for education and research; not for the care of an individual.",
        fontsize=8,
        color=_MUTED,
    )
    return drawn


def _curves(axes: Axes, comparison: Comparison, name: str) -> None:
    for place, option in enumerate(comparison.options):
        look: dict[str, Any] = {"color": _COLOURS[place], "linestyle": _DASHES[place], "linewidth": 1.9}
        if option.curves:
            axes.plot(CURVE_MONTHS, [100 * share for share in option.curves[name]], label=option.therapy.text, **look)
        else:
            low, high = ([100 * share for share in edge] for edge in option.curve_bands[name])
            label = f"{option.therapy.text}: not known, anywhere in the shaded range"
            axes.fill_between(CURVE_MONTHS, low, high, color=_COLOURS[place], alpha=_BAND_ALPHA, lw=0, label=label)
            for edge in (low, high):
                axes.plot(CURVE_MONTHS, edge, **(look | {"linewidth": 0.9}))
    axes.set(xlim=(0, CURVE_MONTHS[-1]), ylim=(0, 100), xlabel="Months", title=f"{_TITLES[name]}, of 100 people")
    axes.set_xticks(range(0, 37, 6))
    axes.grid(axis="y", color="#dddddd", linewidth=0.7)


def _outcomes(axes: Axes, comparison: Comparison) -> None:
    options = comparison.options
    step = len(options) + 1.2
    for row, key in enumerate(OUTCOMES):
        for place, option in enumerate(options):
            _outcome(axes, option, key, row * step + place, place)
    axes.set_yticks([row * step + (len(options) - 1) / 2 for row in range(len(OUTCOMES))], list(OUTCOMES.values()))
    axes.set(xlim=(0, 100), ylim=(len(OUTCOMES) * step - 1.0, -0.9), xlabel="of 100 people")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)


def _outcome(axes: Axes, option: Option, key: tuple[str, float | None], y: float, place: int) -> None:
    colour = _COLOURS[place]
    found = next((one for one in option.outcomes if (one.code, one.time_months) == key), None)
    if found is None:
        band = next(one for one in option.bands if (one.code, one.time_months) == key)
        ends = [100 * band.lo90, 100 * band.hi90]
        axes.plot(ends, [y, y], color=colour, linewidth=7, alpha=_BAND_ALPHA, solid_capstyle="butt")
        axes.plot(ends, [y, y], "|", color=colour, markersize=7)
        return
    axes.plot([100 * found.lo90, 100 * found.hi90], [y, y], color=colour, linewidth=2)
    axes.plot([100 * found.value], [y], "o", color=colour, markersize=5)
    if option.nearest is None or not (option.nearest.same_drugs and option.nearest.same_line):
        return
    for row in option.nearest.rows:
        if row["subgroup"] == "all" and (row["code"], row["time_months"]) == key:
            axes.plot(
                [100 * row["published"]], [y], "D", markersize=4.5, markerfacecolor="white", markeredgecolor=colour
            )
