"""The forest of subgroups: a hazard ratio where arms are compared, else a rate of each arm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesotrial.analysis import Endpoint, Outcomes, codes, estimate
from mesotrial.report import words
from mesotrial.report.svg import (
    INK,
    LEGEND_LINE,
    MUTED,
    PAPER,
    WIDTH,
    arm_colour,
    figure,
    heading,
    inline_svg,
    plain_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mesotrial.catalogue import Design

__all__ = ["Forest", "ForestLine", "compared_arms", "forest_figure", "forests"]

_GROUPS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("", {"all": "all patients"}),
    ("Histology", {"epithelioid": "epithelioid", "non_epithelioid": "non-epithelioid"}),
    ("PD-L1", {"pdl1_ge1": f"1{words.NO_BREAK}% or more", "pdl1_lt1": f"under 1{words.NO_BREAK}%"}),
    ("ECOG performance status", {"ecog_0": "0", "ecog_ge1": "1 or more"}),
)
_LEFT, _RIGHT, _BOTTOM, _ROW, _HEAD = 122.0, 98.0, 40.0, 17.0, 17.0
_LOWEST, _HIGHEST = 0.25, 4.0
_BELOW = 4.5  # points that a published diamond hangs below its line


@dataclass(frozen=True)
class ForestLine:
    """One subgroup of one arm, or of one arm against another: `n` patients of the trial, their value and 95 % interval
    (NaN where unknown), the value in the bank, and what was published.
    """

    subgroup: str
    arm: str
    comparator: str | None
    n: int
    value: float
    lower: float
    upper: float
    bank: float
    published: float | None
    published_lo: float | None
    published_hi: float | None


@dataclass(frozen=True)
class Forest:
    """The lines of one endpoint."""

    code: str
    title: str
    lines: tuple[ForestLine, ...]

    @property
    def is_ratio(self) -> bool:
        """Whether the values are hazard ratios."""
        return codes.is_hazard_ratio(self.code)


def compared_arms(parameter: str, design: Design, rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Return the arm and its comparator whose hazard ratio of `parameter` was published; None where none was.

    A design that nobody ran compares its first arm with its last.
    """
    for row in rows:
        if row["code"] == f"{parameter}_HR" and row["subgroup"] == "all":
            return row["arm"], row["comparator"]
    is_new = not design.evidence_trial and len(design.arms) > 1
    return (design.arms[0].name, design.arms[-1].name) if is_new else None


def forests(design: Design, trial: Outcomes, bank: Outcomes, rows: Sequence[Mapping[str, Any]]) -> tuple[Forest, ...]:
    """Return the forests of survival and of progression; of survival at a year and of response where no arms are compared."""
    label = {arm.name: arm.label for arm in design.arms}
    pair = compared_arms("OS", design, rows) or compared_arms("PFS", design, rows)
    months = 12.0 if design.follow_up_months >= 12 else 6.0
    asked: list[tuple[str, str, list[tuple[str, str | None]], float | None]] = []
    for parameter, what in (("OS", "death"), ("PFS", "progression or death")):
        if pair is not None:
            asked.append((f"{parameter}_HR", f"Hazard ratio of {what}", [pair], None))
    if not asked:
        each: list[tuple[str, str | None]] = [(arm, None) for arm in label]
        asked.append(("OS_RATE", f"Alive after {months:.0f} months", each, months))
        asked.append(("ORR", "Objective response", each, None))
    return tuple(
        Forest(
            code,
            title,
            tuple(
                _line(Endpoint(code, arm, other, subgroup, time), trial, bank, rows)
                for _, subgroups in _GROUPS
                for subgroup in subgroups
                for arm, other in arms
            ),
        )
        for code, title, arms, time in asked
    )


def _line(endpoint: Endpoint, trial: Outcomes, bank: Outcomes, rows: Sequence[Mapping[str, Any]]) -> ForestLine:
    arms = [endpoint.arm] if endpoint.comparator is None else [endpoint.arm, endpoint.comparator]
    n = sum(int(trial.members(arm, endpoint.subgroup).sum()) for arm in arms)
    mine, whole = estimate(trial, endpoint), estimate(bank, endpoint)
    said = max(
        (row for row in rows if _is_about(row, endpoint) and row["published"] is not None),
        key=lambda row: row["scored"] == "yes",
        default=dict.fromkeys(("published", "published_lo", "published_hi")),
    )
    return ForestLine(
        endpoint.subgroup,
        endpoint.arm,
        endpoint.comparator,
        n,
        mine.value,
        mine.lower,
        mine.upper,
        whole.value,
        said["published"],
        said["published_lo"],
        said["published_hi"],
    )


def _is_about(row: Mapping[str, Any], endpoint: Endpoint) -> bool:
    key = (row["code"], row["arm"], row["comparator"], row["subgroup"], row["time_months"])
    return key == (endpoint.code, endpoint.arm, endpoint.comparator, endpoint.subgroup, endpoint.time_months)


def forest_figure(forest: Forest, design: Design, place: int) -> str:
    """Return the forest as inline SVG; `place` is its place on the page."""
    arms = [arm.name for arm in design.arms]
    label = {arm.name: arm.label for arm in design.arms}
    by_subgroup: dict[str, list[ForestLine]] = {}
    for line in forest.lines:
        by_subgroup.setdefault(line.subgroup, []).append(line)
    top = 40.0 + LEGEND_LINE * (1 if forest.is_ratio else len(arms))
    body = _HEAD * (len(_GROUPS) - 1) + _ROW * len(forest.lines)
    drawn = figure(top + body + _BOTTOM)
    heading(drawn, forest.title)
    axes = plain_axes(drawn, _LEFT, _BOTTOM, _RIGHT, top)
    axes.grid(visible=False)
    axes.grid(axis="x")
    axes.set(ylim=(body, 0), yticks=[])
    axes.spines["left"].set_visible(False)
    _scale(axes, forest)
    first = forest.lines[0]
    if forest.is_ratio:
        keys = [(INK, f"{label[first.arm]} against {label[first.comparator or first.arm]}")]
        axes.set_xlabel(f"below 1: better with {label[first.arm]}")
    else:
        keys = [(arm_colour(i), arm.label) for i, arm in enumerate(design.arms)]
    _key(drawn, keys)
    largest = max((line.n for line in forest.lines), default=1)
    down = 0.0
    _beside(axes, -8, -7, "patients", color=MUTED, ha="right")
    for title, subgroups in _GROUPS:
        if title:
            _beside(axes, 4 - _LEFT, down + _HEAD / 2 + 2, title, color=MUTED)
            down += _HEAD
        for subgroup, name in subgroups.items():
            for i, line in enumerate(by_subgroup[subgroup]):
                y = down + _ROW / 2
                if i == 0:
                    _beside(axes, (12 if title else 4) - _LEFT, y, name, weight="normal" if title else "bold")
                colour = INK if forest.is_ratio else arm_colour(arms.index(line.arm))
                _beside(axes, -8, y, f"{line.n}", ha="right")
                _draw(axes, forest, line, y, colour, largest)
                down += _ROW
    return inline_svg(drawn, f"forest-{place}", f"{forest.title} by subgroup")


def _scale(axes: Axes, forest: Forest) -> None:
    from matplotlib.ticker import NullLocator

    if forest.is_ratio:
        axes.set_xscale("log")
        axes.set_xlim(_LOWEST, _HIGHEST)
        axes.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.axvline(1, color=MUTED, linewidth=1)
    else:
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])


def _draw(axes: Axes, forest: Forest, line: ForestLine, y: float, colour: str, largest: int) -> None:
    """Draw the trial's value as a square that grows with its patients, the bank's as a tick, the published as a diamond."""
    if math.isnan(line.value):
        _beside(axes, 4, y, words.DASH, right=True, color=MUTED)
    else:
        known = not (math.isnan(line.lower) or math.isnan(line.upper))
        low, high = (_within(forest, end) if known else line.value for end in (line.lower, line.upper))
        axes.plot([low, high], [y, y], color=colour, linewidth=1.4, solid_capstyle="butt", zorder=3)
        size = 3.2 + 4.2 * math.sqrt(line.n / largest)
        axes.plot([_within(forest, line.value)], [y], "s", color=colour, markersize=size, markeredgewidth=0, zorder=4)
        text = (
            f"{line.value:.2f}"
            if forest.is_ratio and not known
            else f"{100 * line.value:.0f} %"
            if not known
            else f"{line.value:.2f} ({line.lower:.2f}–{line.upper:.2f})"
            if forest.is_ratio
            else f"{100 * line.value:.0f} % ({100 * line.lower:.0f}–{100 * line.upper:.0f})"
        )
        _beside(axes, 4, y, text, right=True)
    if not math.isnan(line.bank):
        x = _within(forest, line.bank)
        axes.plot([x, x], [y - 6, y + 6], color=colour, linewidth=2, solid_capstyle="butt", zorder=2.5)
    if line.published is not None:
        look: dict[str, Any] = {"markerfacecolor": PAPER, "markeredgecolor": colour, "markeredgewidth": 1.3}
        axes.plot([_within(forest, line.published)], [y + _BELOW], "D", markersize=4.6, zorder=5, **look)


def _within(forest: Forest, value: float) -> float:
    lowest, highest = (_LOWEST, _HIGHEST) if forest.is_ratio else (0.0, 1.0)
    return min(max(value, lowest), highest)


def _beside(axes: Axes, x: float, y: float, text: str, *, right: bool = False, **look: Any) -> None:
    """Write `text` at height `y`, so many points from the axes' left (or right) edge."""
    axes.annotate(
        text,
        (1 if right else 0, y),
        xycoords=axes.get_yaxis_transform(),
        xytext=(x, 0),
        textcoords="offset points",
        va="center",
        fontsize=10,
        annotation_clip=False,
        **look,
    )


def _key(drawn: Figure, keys: Sequence[tuple[str, str]]) -> None:
    """Name what is drawn under the heading, a square of its colour before each name."""
    from matplotlib.lines import Line2D

    tall = drawn.get_size_inches()[1] * 72
    drawn.legend(
        [Line2D([], [], marker="s", markersize=6, markeredgewidth=0, linestyle="none", color=c) for c, _ in keys],
        [text for _, text in keys],
        loc="upper left",
        bbox_to_anchor=(4 / WIDTH, 1 - 24 / tall),
        handlelength=0.8,
        handletextpad=0.5,
        labelspacing=0.2,
        borderaxespad=0,
        borderpad=0,
    )
