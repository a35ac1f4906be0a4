"""Which candidate to try next: every one where the budget allows it, else what optuna's sampler proposes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesotrial.run.errors import check_installed

if TYPE_CHECKING:
    from mesotrial.catalogue import SearchSpace
    from mesotrial.search.journal import Candidate

__all__ = ["check_sampler", "propose"]

_TRIES = 30  # proposals of the sampler that may be old ones before a new candidate is drawn at random
Choice = dict[str, Any]


def check_sampler() -> None:
    """Refuse a search that needs optuna where it is not installed."""
    check_installed("optuna", "optimise", "; or give a --budget as large as the search")


def propose(space: SearchSpace, done: Sequence[Candidate], budget: int, seed: int, *, two_sided: bool) -> Choice | None:
    """Return the next candidate, or None when all were tried. The proposal depends on what was done and on nothing else, so that a search goes on as
    if it had never been interrupted.

    `two_sided` looks for candidates of low cost as well as of high benefit. Sampler: the tree-structured Parzen estimator (Bergstra J, Bardenet R,
    Bengio Y, Kegl B. NIPS 2011; with several objectives, Ozaki Y et al. GECCO 2020), by optuna.
    """
    old = {_key(candidate.choice) for candidate in done}
    if not done:
        return dict(space.default)
    if len(old) >= space.size:
        return None
    if space.size <= budget:
        return next((choice for choice in space.choices() if _key(choice) not in old), None)
    for choice in _sampled(space, done, seed, two_sided):
        if _key(choice) not in old:
            return choice
    return _random(space, old, seed + len(done))


def _sampled(space: SearchSpace, done: Sequence[Candidate], seed: int, two_sided: bool) -> Iterator[Choice]:
    import warnings

    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # numbers keep their order, texts have none
    spread: dict[str, Any] = {
        variable.name: optuna.distributions.CategoricalDistribution(list(range(len(variable.values))))
        if any(isinstance(value, str) for value in variable.values)
        else optuna.distributions.IntDistribution(0, len(variable.values) - 1)
        for variable in space.variables
    }
    place = {variable.name: {_key({"": v}): i for i, v in enumerate(variable.values)} for variable in space.variables}
    trials = []
    for candidate in done:
        parameters = {name: place[name][_key({"": value})] for name, value in candidate.choice.items()}
        if candidate.benefit is None or candidate.cost is None:
            state, values = optuna.trial.TrialState.FAIL, None
        else:
            state = optuna.trial.TrialState.COMPLETE
            values = [candidate.benefit, candidate.cost] if two_sided else [candidate.benefit]
        trials.append(optuna.trial.create_trial(state=state, params=parameters, distributions=spread, values=values))
    for attempt in range(_TRIES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # optuna's remarks on what is experimental
            sampler = optuna.samplers.TPESampler(seed=(seed + 7919 * len(done) + attempt) % 2**32, multivariate=True)
            study = optuna.create_study(
                directions=["maximize", "minimize"] if two_sided else ["maximize"], sampler=sampler
            )
            study.add_trials(trials)
            asked = study.ask(spread).params
        yield {variable.name: variable.values[asked[variable.name]] for variable in space.variables}


def _random(space: SearchSpace, old: set[Any], seed: int) -> Choice | None:
    """Return a candidate that was not tried, at random; the first of all where they are hard to find."""
    random = np.random.default_rng(seed)
    for _ in range(1000):
        choice = {one.name: one.values[int(random.integers(len(one.values)))] for one in space.variables}
        if _key(choice) not in old:
            return choice
    return next((choice for choice in space.choices() if _key(choice) not in old), None)


def _key(choice: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in choice.items()))
