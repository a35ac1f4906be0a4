"""Pictures of a scoreboard: predicted against published, and whether intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from mesotrial.analysis import codes
from mesotrial.analysis.score import interval_z
from mesotrial.report.svg import INK, MUTED, PAPER, arm_colour, drawing, figure, heading, inline_svg, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["coverage_figure", "predicted_figure", "tornado_figure"]

Row = Mapping[str, Any]
_ROLES = ("calibration", "validation")
_LEVELS = tuple(place / 20 for place in range(1, 20))


def predicted_figure(rows: Sequence[Row], kind: str) -> str:
    """Return predicted against published values with both intervals as inline SVG; `kind` is ``rate`` or ``median``."""
    is_kind = codes.is_rate if kind == "rate" else codes.is_median
    shown = [
        row
        for row in rows
        if is_kind(row["code"])
        and row["simulated"] is not None
        and row["published"] is not None
        and row["lo90"] is not None
    ]
    with drawing():
        drawn = figure(330.0)
        axes = plain_axes(drawn, 50, 40, 14, 44)
        scale = 100.0 if kind == "rate" else 1.0
        for place, role in enumerate(_ROLES):
            mine = [row for row in shown if row["role"] == role]
            _points(axes, mine, scale, arm_colour(place), role)
        if kind == "rate":
            axes.set_xlim(0, 100)
            axes.set_ylim(0, 100)
        else:
            axes.set_xscale("log")
            axes.set_yscale("log")
            ticks = [1, 2, 3, 5, 10, 20, 30]
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_ticks(ticks, [str(tick) for tick in ticks])
                axis.set_ticks([], minor=True)
            axes.set_xlim(0.9, 40)
            axes.set_ylim(0.9, 40)
        ends = axes.get_xlim()
        axes.plot(ends, ends, color=MUTED, linewidth=0.9, zorder=1)
        unit = "%" if kind == "rate" else "months"
        axes.set_xlabel(f"Published, {unit} (95 % interval as given)")
        axes.set_ylabel(f"Predicted, {unit} (90 %)")
        axes.legend(loc="upper left")
        heading(drawn, "Rates" if kind == "rate" else "Median times")
        return inline_svg(
            drawn,
            f"predicted-{kind}",
            f"Predicted against published {'rates' if kind == 'rate' else 'median times'}, {len(shown)} results",
        )


def _points(axes: Axes, rows: Sequence[Row], scale: float, colour: str, label: str) -> None:
    for row in rows:
        x, y = scale * row["published"], scale * row["simulated"]
        top = row["hi90"] if row["hi90"] is not None else (1.0 if scale > 1 else 100.0)
        axes.plot([x, x], [scale * row["lo90"], scale * top], color=colour, alpha=0.28, linewidth=1.0, zorder=2)
        if row["published_lo"] is not None and row["published_hi"] is not None:
            ends = [scale * row["published_lo"], scale * row["published_hi"]]
            axes.plot(ends, [y, y], color=colour, alpha=0.28, linewidth=1.0, zorder=2)
    axes.scatter(
        [scale * row["published"] for row in rows],
        [scale * row["simulated"] for row in rows],
        s=16, color=colour, edgecolor=PAPER, linewidth=0.5, zorder=3, label=f"{label} ({len(rows)})",
    )  # fmt: skip


def coverage_figure(rows: Sequence[Row]) -> str:
    """Return the share of published values inside the model's intervals of every level against that level, as inline SVG.

    The 90 % intervals are made wider or narrower as a normal's would be, on the scoring scale.
    """
    with drawing():
        drawn = figure(300.0)
        axes = plain_axes(drawn, 50, 40, 14, 44)
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=0.9)
        for place, role in enumerate(_ROLES):
            z = [abs(value) for row in rows if row["role"] == role and (value := interval_z(row)) is not None]
            if not z:
                continue
            limits = [NormalDist().inv_cdf((1 + level) / 2) for level in _LEVELS]
            shares = [100 * sum(value <= limit for value in z) / len(z) for limit in limits]
            axes.plot(
                [100 * level for level in _LEVELS],
                shares,
                color=arm_colour(place),
                linewidth=2,
                label=f"{role} ({len(z)})",
            )
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.set_xlabel("Level of the interval, %")
        axes.set_ylabel("Published values inside, %")
        axes.legend(loc="upper left", labelcolor=INK)
        heading(drawn, "Do intervals hold what they promise?")
        return inline_svg(
            drawn, "coverage", "Share of published values inside the model's intervals, against the nominal level"
        )


def tornado_figure(rows: Sequence[Mapping[str, str]], families: Mapping[str, str], count: int = 12) -> str:
    """Return the `count` quantities with the largest sensitivity indices as bars beside each other, as inline SVG.

    `rows` have a ``path`` and an index for each of `families`, whose values are their headings.
    """
    top = sorted(rows, key=lambda row: -sum(float(row[name]) for name in families))[:count][::-1]
    with drawing():
        drawn = figure(330.0)
        axes = plain_axes(drawn, 210, 40, 14, 44)
        height = 0.8 / len(families)
        for place, (name, label) in enumerate(families.items()):
            middles = [row + 0.4 - (place + 0.5) * height for row in range(len(top))]
            values = [float(row[name]) for row in top]
            axes.barh(middles, values, height=0.9 * height, color=arm_colour(place), label=label)
        axes.set_yticks(range(len(top)), [row["path"] for row in top])
        axes.set_xlabel("PAWN index, chance subtracted")
        axes.legend(loc="lower right", labelcolor=INK)
        heading(drawn, "Which quantities move which results")
        return inline_svg(
            drawn, "tornado", "Sensitivity of response, progression and survival to the fitted quantities"
        )
