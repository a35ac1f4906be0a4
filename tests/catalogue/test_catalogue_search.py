"""Ranges in a design file: what they make, and what is said of those that make nothing."""

from pathlib import Path
from typing import Any

import pytest

from mesotrial.catalogue import CatalogueError, DataError, design_schema, load_design, load_search, ranges_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "search_ipilimumab.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")


def written(folder: Path, text: str) -> Path:
    path = folder / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return written(folder, text)


def test_every_choice_makes_its_design() -> None:
    space = load_search(EXAMPLE)
    assert space.size == 24 == len(list(space.choices()))
    assert space.searched_arms == (0,)
    texts = {space.fill(choice).arms[0].regimens[1].text for choice in space.choices()}
    assert len(texts) == 24 and "ipilimumab 3 mg/kg IV over 90 min q9w x 8" in texts
    assert {space.fill(choice).arms[1] for choice in space.choices()} == {space.fill({}).arms[1]}


def test_a_plain_run_takes_the_defaults() -> None:
    design = load_design(EXAMPLE)
    assert design.arms[0].regimens[1].text == "ipilimumab 1 mg/kg IV over 90 min q6w x 4"
    assert design == load_search(EXAMPLE).fill({"dose": 1, "weeks": 6, "cycles": 4})


def test_what_varies_can_be_asked_of_any_design() -> None:
    assert [one.name for one in ranges_of(EXAMPLE)] == ["dose", "weeks", "cycles"]
    assert ranges_of("maps2") == () == ranges_of(EXAMPLE.with_name("relapsed_what_if.yaml"))


def test_numbers_and_whole_regimens_may_vary(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("  dose: {values: [1, 3], default: 1} # mg/kg\n", "  dose: {from: 0.5, to: 1.5, step: 0.25}\n"),
        (
            "  weeks:",
            "  size: {from: 50, to: 150, step: 50}\n  partner: {values: [none, pembrolizumab 200 mg IV q3w]}\n  weeks:",
        ),
        (
            "    n: 100\n    regimens:\n      - nivolumab 240 mg IV over 30 min q2w\n      -",
            "    n: '{size}'\n    regimens:\n      - '{partner}'\n      -",
        ),
    )
    space = load_search(path)
    doses = next(one for one in space.variables if one.name == "dose")
    assert doses.values == (0.5, 0.75, 1.0, 1.25, 1.5)
    alone = space.fill({"dose": 0.75, "size": 150})
    assert [one.text for one in alone.arms[0].regimens] == ["ipilimumab 0.75 mg/kg IV over 90 min q6w x 4"]
    assert alone.arms[0].n == 150
    assert space.fill({"partner": "pembrolizumab 200 mg IV q3w"}).arms[0].drugs == ("pembrolizumab", "ipilimumab")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{weeks}", "{week}", ("arms[0].regimens[1]", "'week'", "did you mean {weeks}?")),
        ("x {cycles}", "x 4", ("search.cycles", "used nowhere", "{cycles}")),
        ("{from: 3, to: 12, step: 3, default: 6}", "{from: 12, to: 3}", ("search.weeks.from", "12 must be less")),
        ("{from: 3, to: 12, step: 3, default: 6}", "{from: 3, to: 12, step: 0}", ("search.weeks.step", "more than 0")),
        ("{from: 3, to: 12, step: 3, default: 6}", "{from: 3}", ("search.weeks", "`from:` and `to:`")),
        ("{from: 3, to: 12, step: 3, default: 6}", "{from: 0.5, to: 12}", ("search.weeks", "needs `step:`")),
        ("{from: 3, to: 12, step: 3, default: 6}", "{from: 3, to: 12, step: 3, default: 5}", ("search.weeks.default", "5", "3, 6, 9, 12")),
        ("{from: 3, to: 12, step: 3, default: 6}", "{from: 1, to: 12000}", ("search.weeks.step", "12,000 values")),
        ("{from: 3, to: 12, step: 3, default: 6}", "{between: 3}", ("search.weeks.between", "not a field")),
        ("{values: [1, 3], default: 1}", "{values: [1]}", ("search.dose", "nothing varies")),
        ("{values: [1, 3], default: 1}", "{values: [1, 1]}", ("search.dose.values", "twice")),
        ("{values: [1, 3], default: 1}", "{values: []}", ("search.dose.values", "at least 1")),
        ("{values: [1, 3], default: 1}", "{values: [1, 3], from: 1, to: 2}", ("search.dose", "either")),
        ("{values: [1, 3], default: 1}", "3", ("search.dose", "block of")),
    ],
)  # fmt: skip
def test_each_wrong_range_is_named_with_its_place(tmp_path: Path, old: str, new: str, words: tuple[str, ...]) -> None:
    path = changed(tmp_path, (old, new))
    for load in (load_search, load_design):
        with pytest.raises(DataError) as caught:
            load(path)
        assert "trial.yaml, line " in str(caught.value)
        for word in words:
            assert word in str(caught.value), str(caught.value)


def test_a_file_without_ranges_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name what may vary"):
        load_search(written(tmp_path, load_design("maps2").source_text))


def test_a_choice_that_makes_no_design_says_where_in_the_file(tmp_path: Path) -> None:
    path = changed(tmp_path, ("cycles: {values: [2, 4, 8], default: 4}", "cycles: {values: [4, lots], default: 4}"))
    space = load_search(path)
    with pytest.raises(CatalogueError) as caught:
        space.fill({"cycles": "lots"})
    line = next(i for i, text in enumerate(path.read_text().splitlines(), start=1) if "{dose} mg/kg" in text)
    assert f"line {line}, arms[0].regimens[1]" in str(caught.value)


def test_a_line_keeps_its_number_when_an_entry_before_it_is_left_out(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("  dose:", "  first: {values: [none, pembrolizumab 200 mg IV q3w]}\n  dose:"),
        (
            '      - nivolumab 240 mg IV over 30 min q2w\n      - "ipi',
            "      - '{first}'\n      - nivolumab 240 mg XX q2w\n      - \"ipi",
        ),
    )
    with pytest.raises(CatalogueError) as caught:
        load_design(path)
    line = next(i for i, text in enumerate(path.read_text().splitlines(), start=1) if "mg XX" in text)
    assert f"line {line}, arms[0].regimens[0]" in str(caught.value)


def test_the_schema_lets_a_name_stand_for_a_number() -> None:
    schema = design_schema()
    number = schema["$defs"]["ArmFile"]["properties"]["n"]
    assert [one["type"] for one in number["anyOf"]] == ["integer", "string"]
    assert "from" in schema["$defs"]["SearchVariableFile"]["properties"]
    fields: dict[str, Any] = schema["properties"]
    assert "search" in fields and "arms" in fields
