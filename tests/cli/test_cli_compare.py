"""``compare`` on the command line."""

from pathlib import Path
from typing import Any

PATIENT = ("--patient", "age 70, male, epithelioid, ECOG 2, first line")


def test_json_is_one_object(command: Any) -> None:
    result = command("compare", "nivolumab", "placebo", *PATIENT, "--people", "50", "--picture", "c.svg", "--json")
    assert result.code == 0, result.err
    assert result.json["schema"] == "mesotrial/comparison/1"
    assert result.json["picture"] == "c.svg" and Path("c.svg").is_file()
    assert "ECOG 2" in result.json["extrapolation"][0]
    assert len(result.json["differences"]) == 8
    assert "not for the care of an individual" in result.json["context_of_use"].lower()


def test_people_read_published_results_first(command: Any) -> None:
    result = command("compare", "nivolumab", "placebo", *PATIENT, "--people", "50", "--quiet")
    assert result.code == 0 and result.err == ""
    order = [result.out.index(words) for words in ("Published: CONFIRM", "Simulated:", "Per 100", "Extrapolation:")]
    assert order == sorted(order)
    assert "only with the first" in result.out


def test_mistakes_are_told_before_any_work(command: Any) -> None:
    for arguments, says in (
        (("nivolumab", "-p", "age 70, mael, first line"), "mael"),
        (("nivolumab", "-p", "age 70"), "which line"),
        (("nivolumaab", "-p", "first line"), "did you mean nivolumab"),
        (("nivolumab", "-p", "first line", "--picture", "c.pdf"), ".svg or .png"),
        (("nivolumab", "-p", "first line", "--people", "0"), "number of people"),
        (("nivolumab",), "--patient"),
    ):
        result = command("compare", *arguments)
        assert result.code == 2 and says in result.err
        assert "Traceback" not in result.err and "Compiling" not in result.err


def test_what_is_not_known_has_a_range_and_no_number(command: Any) -> None:
    result = command("compare", "nivolumab", "BCG", *PATIENT, "--people", "50", "--quiet", "--picture", "c.svg")
    assert result.code == 0
    lines = [line for line in result.out.splitlines() if "alive after 1 year" in line]
    assert len(lines) == 2 and all("not known" in line for line in lines)
    assert "BCG: outcomes are not known" in result.out
    assert "BCG: not known, anywhere in the shaded range" in Path("c.svg").read_text(encoding="utf-8")
