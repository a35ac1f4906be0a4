"""The search: what it measures, that it goes on where it stopped, and how sure it says it is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesotrial.catalogue import design_from_text, load_design, load_search
from mesotrial.population import load_parameters
from mesotrial.run import RequestError, RunFolderError
from mesotrial.search import optimise
from mesotrial.search.finalists import _resampled, _won
from mesotrial.search.journal import Candidate, Journal
from mesotrial.search.objectives import Patients, objective
from mesotrial.search.outputs import front
from mesotrial.search.propose import propose

DESIGN = """
name: small
line: relapsed
population: {like: maps2}
search:
  dose: {values: [60, 240, 480], default: 240}
  weeks: {from: 2, to: 6, step: 2}
  size: {values: [40, 120]}
arms:
  - {name: nivo, n: "{size}", regimens: ["nivolumab {dose} mg IV over 30 min q{weeks}w"], max_treatment_days: 365}
  - {name: control, n: 40, regimens: [placebo IV q2w], max_treatment_days: 365}
scans: {every_weeks: "6"}
accrual_months: 6
follow_up_months: 12
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(DESIGN, encoding="utf-8")
    return path


def people(months: list[float], died: list[int], severe: list[int]) -> Patients:
    n = len(months)
    happened = np.array(died, bool)
    times = np.array(months)
    none = np.zeros(n, bool)
    return Patients(times, happened, times / 2, happened, none, none, np.array(severe, bool), np.arange(n) % 2)


def test_objectives_worked_by_hand() -> None:
    design = design_from_text(DESIGN.replace("follow_up_months: 12", "follow_up_months: 24"))
    four = people([2.0, 5.0, 11.0, 30.0], [1, 1, 1, 0], [1, 0, 0, 0])
    assert objective("os_rate_6", design).benefit(four, None, (4, 0)) == pytest.approx(0.5)
    # survival 1 to month 2, 3/4 to 5, 1/2 to 10
    assert objective("os_rmst_10", design).benefit(four, None, (4, 0)) == pytest.approx(2 + 0.75 * 3 + 0.5 * 5)
    assert objective("pfs_rate_6", design).benefit(four, None, (4, 0)) == pytest.approx(0.25)
    whole = 2 + 0.75 * 3 + 0.5 * 6 + 0.25 * 19
    assert objective("rmst", design).benefit(four, None, (4, 0)) == pytest.approx(whole)
    assert objective("utility", design, toxicity_weight=4).benefit(four, None, (4, 0)) == pytest.approx(whole - 1)
    assert objective("orr", design).benefit(four, None, (4, 0)) == 0
    assert objective("os_rate_6", design).cost(four, (4, 0)) == 0.25
    assert objective("power", design).cost(four, (40, 60)) == 100


def test_power_rises_with_patients_and_is_none_for_the_worse_arm() -> None:
    design = load_design("maps2")
    random = np.random.default_rng(1)
    slow, fast = (people(list(random.exponential(scale, 400)), [1] * 400, [0] * 400) for scale in (14.0, 10.0))
    power = objective("power", design).benefit
    assert 0.1 < power(slow, fast, (60, 60)) < power(slow, fast, (200, 200)) < 1
    assert power(fast, slow, (200, 200)) == 0


def test_power_follows_the_analysis_plan() -> None:
    random = np.random.default_rng(2)
    slow, fast = (people(list(random.exponential(scale, 400)), [1] * 400, [0] * 400) for scale in (14.0, 10.0))
    plain = objective("power", design_from_text(DESIGN)).benefit(slow, fast, (200, 200))
    plan = "analysis: {endpoint: PFS, comparator: control, alpha: 0.005, events: 100}\n"
    small = DESIGN.replace('"{size}"', "200").replace("  size: {values: [40, 120]}\n", "")
    strict = objective("power", design_from_text(small + plan))
    assert strict.label == "Power (PFS, log-rank)"
    assert strict.benefit(slow, fast, (200, 200)) < plain / 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os_rate_60", "ends after 18 months"),
        ("os_rate", "no objective is called"),
        ("best", "utility"),
        ("os_rate_0", "a time within it"),
    ],
)
def test_objectives_that_cannot_be(name: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        objective(name, design_from_text(DESIGN))


def search(file: Path, out: Path, **asked: Any) -> Any:
    return optimise(file, out=out, **({"patients": 20, "final_patients": 40, "budget": 4, "aim": "os_rate_12"} | asked))


def test_a_search_goes_on_as_if_it_had_never_been_interrupted(file: Path, tmp_path: Path) -> None:
    whole = search(file, tmp_path / "whole")
    assert len(whole.candidates) == 4 and whole.resumed == 0
    assert whole.candidates[0].choice == {"dose": 240, "weeks": 2, "size": 40}
    assert len({json.dumps(dict(one.choice)) for one in whole.candidates}) == 4

    def interrupt(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(file, tmp_path / "half", progress=interrupt)
    journal = tmp_path / "half" / "journal.jsonl"
    assert len(journal.read_text(encoding="utf-8").splitlines()) == 2
    journal.write_text(journal.read_text(encoding="utf-8") + '{"choice": {"dose"', encoding="utf-8")  # cut short
    again = search(file, tmp_path / "half")
    assert again.resumed == 2
    assert again.candidates == whole.candidates
    assert again.finals == whole.finals
    for name in ("best.yaml", "candidates.csv", "result.json", "tradeoff.svg"):
        assert (tmp_path / "half" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert load_design(tmp_path / "half" / "best.yaml") == replace(whole.best, source_text="")


def test_the_same_patients_make_small_differences_and_equal_designs_none(file: Path, tmp_path: Path) -> None:
    found = search(file, tmp_path / "s", budget=18)
    assert len(found.candidates) == 18  # all of them, without a sampler
    by_size: dict[tuple[int, int], set[tuple[float, float]]] = {}
    for one in found.candidates:
        key = (one.choice["dose"], one.choice["weeks"])
        by_size.setdefault(key, set()).add((one.benefit, one.cost))
    assert all(len(scores) == 1 for scores in by_size.values())  # the planned number changes no patient
    assert sum(one.wins for one in found.finals.finalists) == pytest.approx(1)
    written = next(one for one in found.finals.finalists if dict(one.choice) == found.space.default)
    assert (written.gain, written.gain_lo90, written.gain_hi90) == (0, 0, 0)
    assert list(found.references) == ["control"]


def test_the_winner_is_asked_of_every_parameter_set(file: Path, tmp_path: Path) -> None:
    one = load_parameters()
    sets = [one.replaced({"growth_rate.median": one.distributions["growth_rate"].median * x}) for x in (0.8, 1.25)]
    found = search(file, tmp_path / "s", parameters=sets, budget=3)
    assert found.finals.draws == 2
    shares = [finalist.wins_draws for finalist in found.finals.finalists]
    assert sum(shares) == pytest.approx(1)
    assert all(share * 2 == pytest.approx(round(share * 2 * 12) / 12) for share in shares)
    single = search(file, tmp_path / "t", parameters=[one], budget=3)
    assert {finalist.wins_draws for finalist in single.finals.finalists} == {None}
    with pytest.raises(RunFolderError, match="different parameters"):
        search(file, tmp_path / "s", parameters=[one], budget=3)


def test_power_against_size(file: Path, tmp_path: Path) -> None:
    found = search(file, tmp_path / "s", aim="power", budget=18, most_cost=100.0, patients=60, final_patients=60)
    assert found.finals.finalists[0].cost == 80
    assert {one.cost for one in found.candidates} == {80, 160}
    assert found.references == {}


def test_a_cost_that_nothing_meets_keeps_the_candidates(file: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nothing tried has a cost of 10 or less"):
        search(file, tmp_path / "s", aim="power", most_cost=10.0, budget=2)
    assert len((tmp_path / "s" / "journal.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_choices_that_make_no_design_are_counted_not_simulated(file: Path, tmp_path: Path) -> None:
    text = DESIGN.replace("dose: {values: [60, 240, 480], default: 240}", "dose: {values: [240, 60, lots]}")
    file.write_text(text, encoding="utf-8")
    found = search(file, tmp_path / "s", budget=18)
    refused = [one for one in found.candidates if one.refused]
    assert len(refused) == 6 and all(one.choice["dose"] == "lots" and one.benefit is None for one in refused)
    assert len(found.candidates) == 18
    assert "lots" in (tmp_path / "s" / "candidates.csv").read_text(encoding="utf-8")


def test_a_proposal_depends_on_what_was_done_alone(file: Path) -> None:
    space = load_search(file)
    done = [Candidate(space.default, 0.3, 0.1)]
    for _ in range(6):
        first = propose(space, done, 10, 7, two_sided=True)
        assert first == propose(space, done, 10, 7, two_sided=True)
        assert first is not None and first not in [dict(one.choice) for one in done]
        done.append(Candidate(first, len(done) / 10, 0.2))


def test_the_sampler_finds_the_best_dose_sooner_than_chance() -> None:
    text = DESIGN.replace("dose: {values: [60, 240, 480], default: 240}", "dose: {from: 10, to: 500, step: 10}")
    text = text.replace("weeks: {from: 2, to: 6, step: 2}", "weeks: {from: 1, to: 20}").replace(
        "  size: {values: [40, 120]}\n", ""
    )
    best = []
    for seed in range(3):
        space = _space(text.replace('"{size}"', "40"))
        done: list[Candidate] = []
        for _ in range(45):
            choice = propose(space, done, 45, seed, two_sided=False)
            assert choice is not None
            value = -abs(choice["dose"] - 330) / 100 - abs(choice["weeks"] - 7) / 5
            done.append(Candidate(choice, value, 0.0))
        best.append(max(float(one.benefit or -99) for one in done))
    # 45 of 1,000 at random: the best of them lies, on average, about 0.5 away
    assert np.mean(best) > -0.35


def _space(text: str) -> Any:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.yaml"
        path.write_text(text, encoding="utf-8")
        return load_search(path)


def test_without_optuna_one_message_says_how_to_install_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(RequestError, match=r"pip install 'mesotrial\[search\]'"):
        search(file, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    assert len(search(file, tmp_path / "s", budget=18).candidates) == 18


def test_the_front_is_what_nothing_beats() -> None:
    some = [
        Candidate({"x": i}, benefit, cost) for i, (benefit, cost) in enumerate([(1, 1), (3, 2), (2, 2), (3, 3), (4, 5)])
    ]
    assert [one.choice["x"] for one in front(some)] == [0, 1, 4]


def test_equals_share_a_win_and_too_dear_ones_have_none() -> None:
    scores = np.array([[[0.5, 0.1], [0.5, 0.2], [0.9, 0.6]]])
    assert _won(scores, None).tolist() == [[0, 0, 1]]
    assert _won(scores, 0.5).tolist() == [[0.5, 0.5, 0]]
    assert _won(scores, 0.05).tolist() == [[0, 0, 0]]


def test_resampling_draws_parameter_sets_first() -> None:
    groups = [np.arange(0, 5), np.arange(5, 10)]
    found = [_resampled(groups, np.random.default_rng(seed)) for seed in range(200)]
    whole_sets = sum(bool((rows < 5).all() or (rows >= 5).all()) for rows in found)
    assert 60 < whole_sets < 140  # both draws from one set: half of the times
    assert all(len(rows) == 10 for rows in found)


def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunFolderError, match="no search"):
        Journal(tmp_path, {"seed": 1})
    Journal(tmp_path / "a", {"seed": 1, "design_hash": "x"})
    with pytest.raises(RunFolderError, match="different design, seed"):
        Journal(tmp_path / "a", {"design_hash": "y", "seed": 2})
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "a"}


OPEN = """
name: open
line: relapsed
population: {like: maps2}
search:
  partner: {values: [none, cemiplimab 350 mg IV over 30 min q3w]}
arms:
  - {name: cis, n: 40, regimens: [cisplatin 75 mg/m2 IV over 60 min q3w x 6, "{partner}"]}
scans: {every_weeks: "6"}
accrual_months: 6
follow_up_months: 12
"""


def test_what_nobody_knows_can_neither_win_nor_lose(tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text(OPEN, encoding="utf-8")
    found = optimise(
        file,
        aim="os_rate_12",
        budget=2,
        patients=20,
        final_patients=20,
        out=tmp_path / "s",
        parameters=[load_parameters()],
    )
    (refused,) = [one for one in found.candidates if one.refused]
    assert "cemiplimab" in str(refused.choice["partner"]) and "its benefit is not known" in refused.refused
    assert [one.choice["partner"] for one in found.finals.finalists] == ["none"]
    both = "[none, cemiplimab 350 mg IV over 30 min q3w]"
    file.write_text(OPEN.replace(both, "[cemiplimab 350 mg IV over 30 min q3w, none]"), encoding="utf-8")
    with pytest.raises(RequestError, match="numbers that nobody has"):
        optimise(file, aim="os_rate_12", budget=2, out=tmp_path / "t")
