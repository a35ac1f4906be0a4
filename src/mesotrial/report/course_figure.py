"""Tumour and drugs over time for a few patients of one arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mesotrial.report.response_figures import RESPONSE_WORDS
from mesotrial.report.svg import PATIENTS, WIDTH, arm_colour, figure, heading, inline_svg, months_axis, plain_axes
from mesotrial.report.words import months
from mesotrial.trial.tables import DAYS_PER_MONTH

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

__all__ = ["course_figure", "course_words", "patients_followed"]

_MOST_POINTS = 400
_STYLES = ("solid", (0, (6, 1.6)), (0, (2, 1.2)), (0, (6, 1.4, 1.2, 1.4)))
_PANEL, _GAP, _HEAD = 112.0, 30.0, 32.0


def patients_followed(tables: Mapping[str, pl.DataFrame], arm: str) -> list[str]:
    """Return the subjects of `arm` whose courses are kept in adpc, at most four."""
    import polars as pl

    found = tables["adpc"].filter(pl.col("TRT01P") == arm)["USUBJID"].unique(maintain_order=True)
    return found.head(len(PATIENTS)).to_list()


def course_figure(tables: Mapping[str, pl.DataFrame], arm: str, label: str, place: int) -> str | None:
    """Return tumour volume and drug concentrations of the followed patients of `arm` as inline SVG; None if nobody was followed."""
    import polars as pl

    subjects = patients_followed(tables, arm)
    rows = (
        tables["adpc"]
        .filter((pl.col("TRT01P") == arm) & pl.col("USUBJID").is_in(subjects) & pl.col("AVAL").is_not_null())
        .sort("ADY")
    )
    if rows.is_empty():
        return None
    parameters = sorted(rows["PARAMCD"].unique().to_list(), key=lambda name: (name != "TUMVOL", name))
    last = float(rows["ADY"].cast(pl.Float64).max() or 0.0) / DAYS_PER_MONTH  # type: ignore[arg-type]
    tall = _HEAD + len(parameters) * (_PANEL + _GAP) + 38
    drawn = figure(tall)
    heading(drawn, label, arm_colour(place))
    for i, parameter in enumerate(parameters):
        top = _HEAD + _GAP + i * (_PANEL + _GAP)
        axes = plain_axes(drawn, 50, tall - top - _PANEL, 14, top)
        chosen = rows.filter(pl.col("PARAMCD") == parameter)
        what = "Tumour volume" if parameter == "TUMVOL" else f"{parameter.capitalize()} in plasma"
        axes.set_title(f"{what}, {chosen['AVALU'][0]}")
        for k, subject in enumerate(subjects):
            line = chosen.filter(pl.col("USUBJID") == subject)
            step = max(1, -(-line.height // _MOST_POINTS))
            time, height = line["ADY"].to_numpy()[::step] / DAYS_PER_MONTH, line["AVAL"].to_numpy()[::step]
            axes.plot(
                time, height, color=PATIENTS[k], linestyle=_STYLES[k], linewidth=1.5, label=f"no. {_short(subject)}"
            )
        axes.set_xlim(0, max(last, 1.0))
        if parameter == "TUMVOL":
            _volume_scale(axes)
            drawn.legend(
                *axes.get_legend_handles_labels(),
                loc="center left",
                bbox_to_anchor=(4 / WIDTH, 1 - 30 / tall),
                ncols=len(subjects),
                columnspacing=1.0,
                handlelength=1.6,
                handletextpad=0.4,
                borderaxespad=0,
            )
        else:
            axes.set_ylim(bottom=0)
            axes.locator_params(axis="y", nbins=4)
        months_axis(axes, labelled=i == len(parameters) - 1)
    return inline_svg(drawn, f"courses-{place}", f"Tumour and drug over time, {label}")


def _volume_scale(axes: Axes) -> None:
    """Show volumes on a log scale from 1 mL up, so that small and large tumours can be read together."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 1.0), max(high, 10.0))
    few_decades = max(high, 10.0) / max(low, 1.0) < 1000
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if few_decades else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda height, _: f"{height:,.0f}"))
    axes.yaxis.set_minor_locator(NullLocator())


def course_words(tables: Mapping[str, pl.DataFrame], subjects: Sequence[str]) -> list[str]:
    """Return one sentence a subject: best response, then what ended progression-free survival and survival, and when."""
    import polars as pl

    best = dict(tables["adrs"].filter(pl.col("PARAMCD") == "BOR").select("USUBJID", "AVALC").iter_rows())
    times = {
        (who, parameter): f"{what.lower()} ({months(time)})"
        for who, parameter, time, what in tables["adtte"].select("USUBJID", "PARAMCD", "AVAL", "EVNTDESC").iter_rows()
    }
    sentences = []
    for subject in subjects:
        ends = dict.fromkeys(times[key] for parameter in ("PFS", "OS") if (key := (subject, parameter)) in times)
        response = RESPONSE_WORDS[best.get(subject, "NE")]
        sentences.append(f"No. {_short(subject)}, best response {response}: {'; '.join(ends) or 'not followed'}.")
    return sentences


def _short(subject: str) -> str:
    return subject.rsplit("-", maxsplit=1)[-1].lstrip("0") or "0"
