"""The optimise command: what it says, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "search_ipilimumab.yaml"
SMALL = ("--budget", "3", "--patients", "20", "--final-patients", "40")


def test_a_search_says_what_won_and_how_sure_that_is(command: Any) -> None:
    shown = command("optimise", str(EXAMPLE), *SMALL)
    assert shown.code == 0, shown.err
    out = " ".join(shown.out.split())
    for words in (
        "Alive after 24 months",
        "3 of 24 candidates tried",
        "Winner: dose",
        "best of the finalists in",
        "Not for the care",
    ):
        assert words in out
    folder = Path("searches") / "search-ipilimumab-os_rate_24"
    assert {path.name for path in folder.iterdir()} == {
        *("best.yaml", "candidates.csv", "journal.jsonl", "result.json", "search.json", "tradeoff.png", "tradeoff.svg")
    }
    again = command("optimise", str(EXAMPLE), *SMALL, "--json").json
    assert again["resumed"] == 3 and again["tried"] == 3 and again["schema"] == "mesotrial/search/1"
    assert len(again["finalists"]) >= 3 and {"gain", "wins", "wins_draws"} <= set(again["finalists"][0])
    assert command("explain", str(folder / "best.yaml"), "--fast").code == 0
    refused = command("optimise", str(EXAMPLE), *SMALL, "--seed", "2")
    assert refused.code == 2 and "another search (different seed)" in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("maps2",), "needs a design file (.yaml)"),
        (("nowhere.yaml",), "there is no file nowhere.yaml"),
        ((str(EXAMPLE), "--objective", "joy"), "no objective is called 'joy'"),
        ((str(EXAMPLE), "--objective", "os_rate_99"), "ends after 36 months"),
        ((str(EXAMPLE), "--budget", "1"), "--budget must be from 2"),
        ((str(EXAMPLE), "--patients", "3"), "--patients must be from 20"),
        ((str(EXAMPLE), "--arm", "placebo"), "nivo+ipi, nivo"),
        ((str(EXAMPLE), "--objective", "power", "--arm", "nivo", "--control", "nivo"), "the same arm"),
        ((str(EXAMPLE), "--cost-at-most=-1"), "--cost-at-most must be"),
        ((str(EXAMPLE), "--objective", "utility", "--toxicity-weight=-1"), "--toxicity-weight must be"),
        ((str(EXAMPLE), "--seed=-1"), "the seed must be"),
        ((str(EXAMPLE), "--threads", "0"), "threads must be at least 1"),
        ((str(EXAMPLE), "--out", "/dev/null/x"), "/dev/null/x"),
    ],
)
def test_each_wrong_request_to_search_has_its_message(command: Any, arguments: tuple[str, ...], words: str) -> None:
    result = command("optimise", *arguments)
    assert result.code == 2 and words in result.err, result.err
    assert result.err.startswith("Error: ") and "Traceback" not in result.err and result.out == ""
    assert list(Path().iterdir()) == []
