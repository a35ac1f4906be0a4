"""The search itself: propose, simulate, keep; then the best again with fresh patients."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesotrial.catalogue import CatalogueError, Design, SearchSpace, load_search
from mesotrial.run import RequestError
from mesotrial.search.journal import Candidate, Journal
from mesotrial.search.objectives import Objective, objective
from mesotrial.search.propose import check_sampler, propose

if TYPE_CHECKING:
    from mesotrial.population import ParameterSet
    from mesotrial.search.evaluate import Evaluator, Score
    from mesotrial.search.finalists import Finals

__all__ = ["Search", "optimise"]

Progress = Callable[[int, int, str], None]

_FINALISTS = 5
_FINAL_SEED = 1_000_003  # added to the seed: patients that no candidate was chosen on
_REFUSED_A_CANDIDATE = 50  # choices that make no design, for each candidate of the budget, before a search gives up


@dataclass(frozen=True)
class Search:
    """A finished search.

    Attributes
    ----------
    candidates
        Everything tried, in order.
    finals
        The best few and the defaults, simulated anew with fresh patients; the first is the winner.
    references
        Benefit and cost of the arms that do not vary, by name, with the same patients as the finalists.
    best
        The design of the winner.
    files
        What was written.

    """

    folder: Path
    aim: Objective
    space: SearchSpace
    candidates: tuple[Candidate, ...]
    finals: Finals
    references: Mapping[str, Score]
    best: Design
    resumed: int
    files: tuple[Path, ...]


def optimise(
    design: str | Path,
    *,
    aim: str = "os_rate_24",
    budget: int = 30,
    patients: int = 400,
    final_patients: int = 2000,
    seed: int = 1,
    out: str | Path | None = None,
    arm: str | None = None,
    control: str | None = None,
    most_cost: float | None = None,
    toxicity_weight: float = 3.0,
    threads: int | None = None,
    parameters: Sequence[ParameterSet] | None = None,
    progress: Progress | None = None,
) -> Search:
    """Search the ranges of a design file for what does better, and write what was found into a folder.

    Every candidate is tried on the same `patients` (common random numbers), who carry the parameter sets of the posterior (`parameters`, by default those
    of `mesotrial.load_ensemble`). The best are simulated again with `final_patients` others. `aim` is a name of `OBJECTIVES`; `arm` the arm that is judged,
    by default the first that varies; `control` the arm it is compared with (objective power); `most_cost` the largest cost a winner may have. A search that
    was interrupted goes on where it was. `progress` is called with (candidates done, in all, what is being done).

    Raises
    ------
    CatalogueError
        The file cannot be read, or has no ranges.
    RequestError
        Something that cannot be asked for, or optuna is needed and not installed.
    RunFolderError
        The folder holds another search, or files that are no search.

    """
    from mesotrial.search.evaluate import unknown_of

    _check(budget, patients, final_patients, seed, threads, most_cost)
    if Path(design).suffix.lower() not in (".yaml", ".yml"):
        raise RequestError(f"a search needs a design file (.yaml) with a `search:` block, not {str(design)!r}")
    space = load_search(design)
    first = space.fill(space.default)
    target = objective(aim, first, toxicity_weight=toxicity_weight)
    judged, other = _arms(space, first, target, arm, control)
    if unknown := unknown_of(first, judged, other):
        raise RequestError(
            f"{unknown}, and a search would rank by numbers that nobody has. Take treatments of known benefit as the defaults of the ranges; "
            "`mesotrial power` and `mesotrial compare` show the band of what is not known"
        )
    if space.size > budget:
        check_sampler()
    sets = tuple(parameters or _ensemble())
    folder = Path(out) if out is not None else _default_folder(first.name, aim)
    journal = Journal(
        folder,
        _request(space, first, sets, aim=aim, patients=patients, seed=seed, arm=judged, control=other)
        | ({"toxicity_weight": toxicity_weight} if aim == "utility" else {}),
    )
    resumed = len(journal.candidates)
    report = progress or (lambda done, total, message: None)
    planned = min(budget, space.size)
    evaluator = _evaluator(space, target, judged, other, sets, patients, seed, threads, planned, report)
    _explore(journal, evaluator, budget, seed, most_cost, report)
    return _finish(
        journal, evaluator, final_patients, seed, most_cost, resumed, lambda what: report(planned, planned, what)
    )


def _check(
    budget: int, patients: int, final_patients: int, seed: int, threads: int | None, most_cost: float | None
) -> None:
    for name, value, least in (
        ("--budget", budget, 2),
        ("--patients", patients, 20),
        ("--final-patients", final_patients, 20),
    ):
        if not least <= value <= 1_000_000:
            raise RequestError(f"{name} must be from {least} to 1,000,000, not {value}")
    if threads is not None and threads < 1:
        raise RequestError(f"threads must be at least 1, not {threads}")
    if not 0 <= seed < 2**62:
        raise RequestError(f"the seed must be a whole number from 0 to 2^62 - 1, not {seed}")
    if most_cost is not None and not most_cost >= 0:
        raise RequestError(f"--cost-at-most must be a number from 0 on, not {most_cost:g}")


def _arms(
    space: SearchSpace, design: Design, target: Objective, arm: str | None, control: str | None
) -> tuple[int, int | None]:
    names = [one.name for one in design.arms]
    for asked in (arm, control):
        if asked is not None and asked not in names:
            raise RequestError(f"no arm is called {asked!r}; the arms of this design: {', '.join(names)}")
    judged = names.index(arm) if arm is not None else next(iter(space.searched_arms), 0)
    if not target.needs_control:
        return judged, None
    if len(names) < 2:
        raise RequestError(f"--objective {target.name} compares two arms, and this design has one")
    asked = control if control is not None or design.analysis is None else design.analysis.comparator
    if asked in names and (control is not None or names.index(asked) != judged):
        other = names.index(asked)
    else:
        other = next(place for place in reversed(range(len(names))) if place != judged)
    if other == judged:
        raise RequestError(f"--arm and --control are the same arm, {names[judged]!r}")
    return judged, other


def _ensemble() -> tuple[ParameterSet, ...]:
    from mesotrial.population import load_ensemble

    return load_ensemble()


def _default_folder(name: str, aim: str) -> Path:
    return Path("searches") / (re.sub(r"[^\w.+-]+", "-", f"{name}-{aim}").strip(".-") or "search")


def _request(space: SearchSpace, first: Design, sets: Sequence[ParameterSet], **asked: Any) -> dict[str, Any]:
    """Return what decides the candidates' scores; a folder belongs to one such request."""
    from mesotrial.run.identity import identity_of

    identity = identity_of(first, patients_per_arm=asked["patients"], seed=asked["seed"], population="fitted")
    kept = {key: identity[key] for key in ("version", "program_hash", "model_hash", "catalogue_hash")}
    return {
        "design": first.name,
        "design_hash": hashlib.sha256(space.text.encode()).hexdigest(),
        "parameters_hash": hashlib.sha256(repr(tuple(sets)).encode()).hexdigest(),
        "objective": asked.pop("aim"),
        **asked,
        **kept,
    }


def _evaluator(
    space: SearchSpace,
    target: Objective,
    judged: int,
    other: int | None,
    sets: Sequence[ParameterSet],
    patients: int,
    seed: int,
    threads: int | None,
    planned: int,
    report: Progress,
) -> Evaluator:
    from mesotrial.search.evaluate import Evaluator, union_design
    from mesotrial.trial import build_model

    report(0, planned, "Compiling the model")
    model = build_model(union_design(space), sets, threads=threads)
    return Evaluator(
        space, target, arm=judged, control=other, model=model, parameters=sets, patients=patients, seed=seed
    )


def _explore(
    journal: Journal, evaluator: Evaluator, budget: int, seed: int, most_cost: float | None, report: Progress
) -> None:
    space = evaluator.space
    two_sided = evaluator.aim.name != "utility" or most_cost is not None
    planned = min(budget, space.size)
    while (done := sum(one.benefit is not None for one in journal.candidates)) < planned:
        refused = len(journal.candidates) - done
        if refused > _REFUSED_A_CANDIDATE * budget:
            raise RequestError(
                f"{refused} choices of values make no design, the last because: {journal.candidates[-1].refused}. Narrow the ranges"
            )
        report(done, planned, "Trying candidates")
        choice = propose(space, journal.candidates, budget, seed, two_sided=two_sided)
        if choice is None:
            break
        try:
            score = evaluator.score(choice)
        except CatalogueError as error:
            journal.add(Candidate(choice, None, None, str(error)))
            continue
        journal.add(Candidate(choice, score.benefit, score.cost))
    report(planned, planned, "Trying candidates")


def _finish(
    journal: Journal,
    evaluator: Evaluator,
    final_patients: int,
    seed: int,
    most_cost: float | None,
    resumed: int,
    say: Callable[[str], None],
) -> Search:
    from mesotrial.search.evaluate import Evaluator, unknown_of
    from mesotrial.search.finalists import judge
    from mesotrial.search.outputs import write_outputs

    space = evaluator.space
    fresh = Evaluator(
        space,
        evaluator.aim,
        arm=evaluator.arm,
        control=evaluator.control,
        model=evaluator.model,
        parameters=evaluator.parameters,
        patients=final_patients,
        seed=seed + _FINAL_SEED,
    )
    chosen = _finalists(journal.candidates, space, most_cost)
    say(f"The best {len(chosen)} again, with {final_patients:,} other patients")
    finals = judge(fresh, chosen, most_cost=most_cost, seed=seed)
    winner = finals.finalists[0]
    if most_cost is not None and winner.cost > most_cost:
        raise RequestError(
            f"nothing tried has a cost of {most_cost:g} or less (the least: {min(one.cost for one in finals.finalists):.3g}); "
            f"raise --cost-at-most or the --budget; the {len(journal.candidates)} candidates tried are kept in {journal.folder}"
        )
    first = space.fill(space.default)
    references = {
        arm.name: fresh.score_of(fresh.simulated(first, place), None, (arm.n, 0))
        for place, arm in enumerate(first.arms)
        if not evaluator.aim.needs_control
        and place not in (*space.searched_arms, evaluator.arm)
        and not unknown_of(first, place)
    }
    best = space.fill(winner.choice)
    say("Writing what was found")
    files = write_outputs(journal, evaluator.aim, space, finals, references, best, most_cost)
    return Search(
        journal.folder, evaluator.aim, space, tuple(journal.candidates), finals, references, best, resumed, tuple(files)
    )


def _finalists(candidates: Sequence[Candidate], space: SearchSpace, most_cost: float | None) -> list[Mapping[str, Any]]:
    """Return the choices of the best candidates, those of an allowed cost first, and the defaults."""
    scored = [one for one in candidates if one.benefit is not None and one.cost is not None]

    def order(one: Candidate) -> tuple[bool, float, float]:
        too_dear = most_cost is not None and float(one.cost or 0) > most_cost
        return too_dear, -float(one.benefit or 0), float(one.cost or 0)

    chosen = [one.choice for one in sorted(scored, key=order)[:_FINALISTS]]
    return chosen if space.default in chosen else [*chosen, space.default]
