"""The scoreboard from the command line."""

from typing import Any

import pytest

from mesotrial.run import RequestError
from mesotrial.validate import validate

SMALL = ("--trials", "maps2,ATOMIC-meso", "--patients", "30")
OF_THE_CONTRACT = {
    *("rows", "trials", "z_coverage", "inside90", "mean_abs_z", "rate_points_mae", "median_percent_mae"),
    *("interval_score", "carry_over", "skill"),
}
ROW = (
    "trial arm comparator subgroup code time_months assessor simulated lo90 hi90 published published_lo published_hi "
    "published_level published_n scored role z inside90 confidence source"
)


def test_the_object_of_the_contract(command: Any) -> None:
    result = command("validate", "--role", "validation", *SMALL, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    board = result.json
    assert board["schema"] == "mesotrial/scoreboard/1"
    assert set(board["roles"]) == {"validation"}
    validation = board["roles"]["validation"]
    assert set(validation) >= OF_THE_CONTRACT
    assert set(validation["carry_over"]) >= OF_THE_CONTRACT - {"carry_over", "skill"}
    assert set(validation["families"]) == {"response", "pfs", "os", "toxicity"}
    for row in board["rows"]:
        assert set(row) >= set(ROW.split())
        assert (row["scored"], row["role"]) == ("yes", "validation")
    of_maps2 = [row for row in board["rows"] if row["trial"] == "MAPS2 (IFCT-1501)"]
    assert len(of_maps2) == 14 == validation["rows"] + sum(row["not_predicted"] is not None for row in of_maps2)
    assert {item["trial"] for item in board["not_predicted"]} == {"ATOMIC-meso"}
    assert validation["unpredicted"] == sum(item["rows"] for item in board["not_predicted"])
    (about,) = board["trials"]
    assert sum(about["status_counts"].values()) == 60


def test_what_people_read(command: Any) -> None:
    result = command("validate", *SMALL)
    assert result.code == 0
    for words in ("Validation: 14 results", "carried over", "the largest misses", "ATOMIC-meso", "Not predicted"):
        assert words in result.out
    assert "Calibration" not in result.out  # nothing of these trials is for calibration
    assert "(0 of 60 patients)" in result.err
    assert "Not for the care of an individual" in " ".join(result.out.split())


def test_equal_arguments_give_equal_scores() -> None:
    first, second = (validate(trials=["maps2"], patients_per_arm=20, seed=4, threads=t) for t in (1, 2))
    assert first["rows"] == second["rows"]
    assert first["rows"] != validate(trials=["maps2"], patients_per_arm=20, seed=5)["rows"]


def test_a_design_that_cannot_be_run_is_counted_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mesotrial.engine import ModelError

    def refuse(*_: Any, **__: Any) -> None:
        raise ModelError("surgery is not modelled")

    monkeypatch.setattr("mesotrial.trial.simulate_trial", refuse)
    board = validate(trials=["maps2"], patients_per_arm=5)
    assert board["roles"]["validation"]["rows"] == 0
    assert {item["why"] for item in board["not_predicted"]} == {"its design cannot be run: surgery is not modelled"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--patients", "0"), "patients per arm must be at least 1"),
        (("--role", "context"), "role"),
        (("--trials", "maps3"), "maps3"),
        (("--trials", ","), "--trials names no trial"),
        (("--trials", "atomicmeso"), "nothing of atomicmeso can be scored"),
        (("--trials", "maps2", "--role", "calibration"), "no published result of maps2 with the role calibration"),
        (("--seed", "-1"), "the seed must be a whole number"),
        (("--threads", "0"), "threads must be at least 1"),
    ],
)
def test_wrong_requests(command: Any, arguments: tuple[str, ...], message: str) -> None:
    result = command("validate", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_no_other_role() -> None:
    with pytest.raises(RequestError, match="no role is called 'none'"):
        validate(role="none")  # type: ignore[arg-type]
