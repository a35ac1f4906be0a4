"""What a search leaves: the result, the winner as a design file, a table of candidates, the picture of the trade-off."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.run.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mesotrial.catalogue import Design, SearchSpace
    from mesotrial.search.evaluate import Score
    from mesotrial.search.finalists import Finals
    from mesotrial.search.journal import Candidate, Journal
    from mesotrial.search.objectives import Objective

__all__ = ["CAVEATS", "front", "words_of", "write_outputs"]

CAVEATS = (
    "What wins here wins in this model: it was not tested in people. Doses far from those of the trials behind the model are extrapolation. "
    "Hypothesis generation, education and trial-design exploration. Not for the care of an individual."
)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mesotrial",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def write_outputs(
    journal: Journal,
    aim: Objective,
    space: SearchSpace,
    finals: Finals,
    references: Mapping[str, Score],
    best: Design,
    most_cost: float | None,
) -> list[Path]:
    """Write `result.json`, `best.yaml`, `candidates.csv`, `tradeoff.svg` and `tradeoff.png` into the folder of the search."""
    folder = journal.folder
    scored = [one for one in journal.candidates if one.benefit is not None]
    result = journal.finish(
        {
            "design": best.name,
            "objective": aim.name,
            "benefit": aim.label,
            "cost": aim.cost_label,
            "cost_at_most": most_cost,
            "choices": space.size,
            "tried": len(scored),
            "refused": [{"choice": dict(one.choice), "why": one.refused} for one in journal.candidates if one.refused],
            "finalists": [asdict(one) for one in finals.finalists],
            "references": {name: asdict(score) for name, score in references.items()},
            "parameter_sets": finals.draws,
            "final_patients": finals.patients,
            "caveats": CAVEATS,
        }
    )
    write_whole(folder / "best.yaml", lambda file: file.write_text(best.to_yaml(), encoding="utf-8"))
    names = [variable.name for variable in space.variables]
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow([*names, "benefit", "cost", "on_front", "refused"])
    on_front = {id(one) for one in front(scored)}
    for one in journal.candidates:
        row = [*(one.choice[name] for name in names), one.benefit, one.cost, "Y" if id(one) in on_front else "N"]
        writer.writerow([*row, one.refused])
    write_whole(folder / "candidates.csv", lambda file: file.write_text(made.getvalue(), encoding="utf-8"))
    pictures = [
        _picture(folder / f"tradeoff.{ending}", aim, scored, finals, references, space, most_cost)
        for ending in ("svg", "png")
    ]
    return [result, folder / "best.yaml", folder / "candidates.csv", *pictures]


def front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other beats in benefit without costing more, by rising cost."""
    chosen: list[Candidate] = []
    for one in sorted(candidates, key=lambda one: (float(one.cost or 0), -float(one.benefit or 0))):
        if not chosen or float(one.benefit or 0) > float(chosen[-1].benefit or 0):
            chosen.append(one)
    return chosen


def words_of(choice: Mapping[str, Any]) -> str:
    """Write a choice as `dose 1, weeks 6`."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in choice.items()
    )


def _picture(
    path: Path,
    aim: Objective,
    scored: Sequence[Candidate],
    finals: Finals,
    references: Mapping[str, Score],
    space: SearchSpace,
    most_cost: float | None,
) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(8, 5.5), layout="constrained")
        _draw(drawn, aim, scored, finals, references, space, most_cost)
        kind = path.suffix[1:]
        nothing: Mapping[str, None] = {"Date": None} if kind == "svg" else {}
        write_whole(path, lambda file: drawn.savefig(file, format=kind, dpi=150, metadata=dict(nothing)))
    return path


def _draw(
    drawn: Figure,
    aim: Objective,
    scored: Sequence[Candidate],
    finals: Finals,
    references: Mapping[str, Score],
    space: SearchSpace,
    most_cost: float | None,
) -> None:
    """Draw every point against the design as written in the same patients: what differs is then the candidates', not the patients'.

    Power against size is drawn as it is, because the power of two designs is compared, not patients.
    """
    from matplotlib.ticker import FuncFormatter

    axes = drawn.subplots()
    plain = aim.needs_control
    written = next(one for one in finals.finalists if dict(one.choice) == space.default)
    first = next(one for one in scored if dict(one.choice) == space.default)
    zero = (0.0, 0.0) if plain else (float(first.cost or 0), float(first.benefit or 0))
    axes.scatter(*_points(scored, zero), s=22, color="#9aa5b1", label=f"candidates tried ({len(scored)})", zorder=2)
    axes.plot(
        *_points(front(scored), zero),
        color="#5b6770", lw=1.2, drawstyle="steps-post", label="best at its cost, among those tried", zorder=2,
    )  # fmt: skip
    for place, one in enumerate(finals.finalists):
        name, colour, sign = (
            ("winner, other patients", "#d55e00", "*")
            if place == 0
            else ("other finalists, other patients", "#0072b2", "o")
        )
        if one is written and place:
            name, colour, sign = "as written (defaults)", "#222222", "D"
        across = (
            (one.cost, one.cost_lo90, one.cost_hi90)
            if plain
            else (one.extra_cost, one.extra_cost_lo90, one.extra_cost_hi90)
        )
        up = (one.benefit, one.lo90, one.hi90) if plain else (one.gain, one.gain_lo90, one.gain_hi90)
        axes.errorbar(
            across[0], up[0], xerr=_bars(*across), yerr=_bars(*up),
            fmt=sign, ms=14 if place == 0 else 6, color=colour, elinewidth=1, label=name, zorder=4 if place == 0 else 3,
        )  # fmt: skip
    for name, score in references.items():
        point = (score.cost - written.cost, score.benefit - written.benefit)
        axes.scatter(*point, marker="s", s=45, color="#008a63", label=f"arm {name}, other patients", zorder=3)
    if most_cost is not None:
        axes.axvline(
            most_cost - (0.0 if plain else written.cost), color="#b5568f", ls="--", lw=1, label="largest cost allowed"
        )
    sign = "" if plain else "+"
    share = FuncFormatter(lambda value, _: f"{100 * value:{sign}.3g} {'%' if plain else 'points'}")
    if aim.is_share:
        axes.yaxis.set_major_formatter(share)
    if not plain:
        axes.xaxis.set_major_formatter(share)
        axes.axhline(0, color="#d5d5d5", lw=0.8, zorder=1)
        axes.axvline(0, color="#d5d5d5", lw=0.8, zorder=1)
    against = "" if plain else ", against the design as written"
    axes.set_xlabel(aim.cost_label + against)
    axes.set_ylabel(aim.label + against)
    known: dict[str, Any] = {}
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
        known.setdefault(label, handle)
    drawn.legend(known.values(), known.keys(), fontsize=8.5, loc="outside lower left", ncols=3)
    sets = "one parameter set" if finals.draws == 1 else f"{finals.draws} parameter sets"
    drawn.suptitle(
        f"Simulated; bars: 90 % intervals ({finals.patients:,} other patients, {sets}). Not for the care of an individual.",
        fontsize=8.5, x=0.01, ha="left",
    )  # fmt: skip


def _points(candidates: Sequence[Candidate], zero: tuple[float, float]) -> tuple[list[float], list[float]]:
    """Return costs and benefits, less `zero`."""
    scored = [(one.cost, one.benefit) for one in candidates if one.cost is not None and one.benefit is not None]
    return [cost - zero[0] for cost, _ in scored], [benefit - zero[1] for _, benefit in scored]


def _bars(middle: float, low: float, high: float) -> list[list[float]]:
    return [[max(0.0, middle - low)], [max(0.0, high - middle)]]
