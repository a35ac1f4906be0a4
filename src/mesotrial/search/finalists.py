"""The best candidates again, with fresh patients: how much better are they, and how sure is that?

The best of many is partly the luckiest: its benefit in the search is too high on average. So the finalists are simulated anew with other patients. The
patients carry the posterior's parameter sets; each set is asked alone who wins, and resampling sets and patients gives the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesotrial.search.evaluate import Evaluator
from mesotrial.search.objectives import Patients

__all__ = ["Finalist", "Finals", "judge"]

_RESAMPLES = 300
_LEAST_A_SET = 20  # patients of one parameter set, for a verdict by that set alone
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Finalist:
    """A finalist with fresh patients: benefit and cost with 90 % intervals (patients and parameter sets), and how often it wins.

    `gain` and `extra_cost` are benefit and cost minus those of the design as written (its defaults), in the same patients, with their intervals.
    `wins` is the share of resampled worlds in which it is the best of the finalists; `wins_draws` the share of parameter sets, None where there is one set
    or where a set has too few patients.
    """

    choice: Mapping[str, Any]
    benefit: float
    lo90: float
    hi90: float
    cost: float
    cost_lo90: float
    cost_hi90: float
    gain: float
    gain_lo90: float
    gain_hi90: float
    extra_cost: float
    extra_cost_lo90: float
    extra_cost_hi90: float
    wins: float
    wins_draws: float | None


@dataclass(frozen=True)
class Finals:
    """The finalists, the best first; the number of parameter sets and of patients they rest on."""

    finalists: tuple[Finalist, ...]
    draws: int
    patients: int


def judge(evaluator: Evaluator, choices: Sequence[Mapping[str, Any]], *, most_cost: float | None, seed: int) -> Finals:
    """Simulate the finalists with the evaluator's patients and compare them; above `most_cost` nobody wins a resampled world.

    The design as written, `SearchSpace.default`, must be among the `choices`.
    """
    outcomes = [evaluator.outcomes(evaluator.space.fill(choice)) for choice in choices]
    first = outcomes[0][0]
    draws = np.unique(first.draw)
    everybody = np.arange(len(first))
    whole = _scores(evaluator, outcomes, everybody)
    random = np.random.default_rng(seed)
    groups = [np.flatnonzero(first.draw == draw) for draw in draws]
    worlds = np.stack([_scores(evaluator, outcomes, _resampled(groups, random)) for _ in range(_RESAMPLES)])
    wins = _won(worlds, most_cost).mean(axis=0)
    by_draw = None
    if len(draws) > 1 and min(len(group) for group in groups) >= _LEAST_A_SET:
        by_draw = _won(np.stack([_scores(evaluator, outcomes, group) for group in groups]), most_cost).mean(axis=0)
    written = next(place for place, choice in enumerate(choices) if dict(choice) == evaluator.space.default)
    gained, gains = whole - whole[written], worlds - worlds[:, written, None]
    low, high = np.quantile(worlds, [0.05, 0.95], axis=0)
    gain_low, gain_high = np.quantile(gains, [0.05, 0.95], axis=0)
    made = []
    for place, choice in enumerate(choices):
        made.append(
            Finalist(
                choice=dict(choice),
                benefit=float(whole[place, 0]),
                lo90=float(low[place, 0]),
                hi90=float(high[place, 0]),
                cost=float(whole[place, 1]),
                cost_lo90=float(low[place, 1]),
                cost_hi90=float(high[place, 1]),
                gain=float(gained[place, 0]),
                gain_lo90=float(gain_low[place, 0]),
                gain_hi90=float(gain_high[place, 0]),
                extra_cost=float(gained[place, 1]),
                extra_cost_lo90=float(gain_low[place, 1]),
                extra_cost_hi90=float(gain_high[place, 1]),
                wins=float(wins[place]),
                wins_draws=None if by_draw is None else float(by_draw[place]),
            )
        )
    allowed = [most_cost is None or one.cost <= most_cost for one in made]
    order = sorted(range(len(made)), key=lambda place: (not allowed[place], -made[place].benefit, made[place].cost))
    return Finals(tuple(made[place] for place in order), len(draws), len(first))


def _scores(
    evaluator: Evaluator,
    outcomes: Sequence[tuple[Patients, Patients | None, tuple[int, int]]],
    rows: NDArray[np.int64],
) -> FloatArray:
    """Return (benefit, cost) of each finalist for the patients at `rows`, shape (n_finalists, 2)."""
    scores = []
    for mine, control, sizes in outcomes:
        score = evaluator.score_of(mine.take(rows), None if control is None else control.take(rows), sizes)
        scores.append((score.benefit, score.cost))
    return np.array(scores)


def _resampled(groups: Sequence[NDArray[np.int64]], random: np.random.Generator) -> NDArray[np.int64]:
    """Draw parameter sets, and patients within each, with replacement."""
    chosen = random.integers(len(groups), size=len(groups))
    return np.concatenate([random.choice(groups[place], len(groups[place])) for place in chosen])


def _won(scores: FloatArray, most_cost: float | None) -> FloatArray:
    """Return who is best in each world, shape (n_worlds, n_finalists); equals share the win, and a world in which nobody is allowed has no winner."""
    benefit = scores[:, :, 0].copy()
    if most_cost is not None:
        benefit[scores[:, :, 1] > most_cost] = -np.inf
    best = benefit.max(axis=1, keepdims=True)
    won = (benefit >= best - 1e-12) & np.isfinite(benefit)
    shared: FloatArray = won / np.maximum(won.sum(axis=1, keepdims=True), 1)
    return shared
