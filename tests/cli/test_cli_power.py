"""`mesotrial power` on real input, and what it says of requests that cannot be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = ("--bank", "60", "--trials", "60", "--quiet")


def test_a_comparative_design(command: Command) -> None:
    asked = command("power", str(EXAMPLES / "phase3_power.yaml"), *SMALL, "--json", "--enroll-rate-out", "enroll.csv")
    assert asked.code == 0
    found = asked.json
    assert {"power", "mc_se", "type1", "type1_mc_se", "trials", "seconds", "expected_duration_months"} <= set(found)
    assert found["schema"] == "mesotrial/power/1"
    assert [look["when"] for look in found["looks"]] == ["200 events", "300 events", "400 events"]
    assert found["crossover"]["treatment_policy"]["power"] <= found["crossover"]["hypothetical_no_crossover"]["power"]
    assert Path("enroll.csv").read_text().splitlines()[0] == "stratum,duration,rate"
    again = command(
        "power", str(EXAMPLES / "phase3_power.yaml"), *SMALL, "--json", "--threads", "1", "--enroll-rate", "enroll.csv"
    ).json
    assert {**again, "seconds": 0, "enroll_rate": 0} == {**found, "seconds": 0, "enroll_rate": 0}


def test_arms_judged_one_by_one(command: Command) -> None:
    asked = command("power", str(EXAMPLES / "one_arm_rate.yaml"), *SMALL)
    assert asked.code == 0
    assert "Simon" in asked.out or "simon" in asked.out
    assert "Not for the care of an individual" in asked.out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("alpha: 1.2", "analysis.alpha: must be less than 0.5"),
        ("looks: [{events: 300}, {events: 200}]", "give the looks in order"),
        ("comparator: nobody", "no arm is called 'nobody'"),
    ],
)
def test_a_bad_design_is_one_message_and_exit_code_2(
    command: Command, tmp_path: Path, change: str, message: str
) -> None:
    text = (EXAMPLES / "phase3_power.yaml").read_text(encoding="utf-8")
    head = text[: text.index("analysis:")]
    file = tmp_path / "bad.yaml"
    file.write_text(f"{head}analysis:\n  {change}\n", encoding="utf-8")
    asked = command("power", str(file))
    assert asked.code == 2
    assert message in asked.err
    assert "bad.yaml, line" in asked.err
    assert "Traceback" not in asked.err


@pytest.mark.parametrize("verb", ["explain", "run", "power"])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("alpha: 0.025", "alpha: 1.2", "line 46, analysis.alpha: must be less than 0.5"),
        (
            "- fraction: 0.5",
            "- fraction: 0.9",
            "line 51, analysis.looks[1]: comes at 300 events, not after the look before it",
        ),
        ("n: 300", "n: 0", "line 18, arms[0].n: must be at least 1"),
        (
            "like: checkmate743",
            "like: checkmate743\n  epithelioid: 1",
            "line 33, randomisation.strata[0]: a stratum of histology has nobody in it",
        ),
        ("events: 400", "events: 700", "analysis.events: 700 cannot come from 600 patients"),
    ],
)
def test_what_no_trial_can_be_is_one_message_and_exit_code_2_from_every_command(
    command: Command, tmp_path: Path, verb: str, old: str, new: str, message: str
) -> None:
    text = (EXAMPLES / "phase3_power.yaml").read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "bad.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    asked = command(verb, str(file))
    assert asked.code == 2
    assert len(asked.err.strip().splitlines()) == 1
    assert message in asked.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--trials", "3"), "50"),
        (("--power", "1.5"), "wanted power"),
        (("--enroll-rate", "missing.csv"), "missing.csv"),
    ],
)
def test_a_bad_request_is_refused_before_any_work(command: Command, options: tuple[str, ...], message: str) -> None:
    asked = command("power", str(EXAMPLES / "phase3_power.yaml"), *options)
    assert asked.code == 2
    assert message in asked.err
