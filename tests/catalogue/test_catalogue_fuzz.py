"""Design files as people, editors and accidents mangle them: a design comes out or an error that says where, and nothing hangs.

MESOTRIAL_FUZZ sets the number of mutated files: by default 10,000, about a minute, and fewer where the machine is slow; 100,000 on demand.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesotrial.catalogue import CatalogueError, DataError, Design, RegimenError, design_from_text
from mesotrial.catalogue._sources import packaged

MAPS2 = packaged("designs", "maps2")[1]
SMALL = """\
name: what-if
line: relapsed
population: {like: maps2, weight_kg: {median: 70, cv_percent: 20, low: 40, high: 120}}
arms:
  - name: a
    n: 50
    regimens: [nivolumab 240 mg IV over 30 min q2w x 26 then q4w]
  - {name: b, n: 50, regimens: [placebo IV q2w], one_of: [{share: 1.0, regimens: [cisplatin 75 mg/m2 IV d1 q3w x 6]}]}
randomisation: {ratio: [2, 1], strata: [histology], block: 6}
scans: {every_weeks: "6 to 52w then 12"}
follow_up_months: 24
lead_in: {weeks: 20, require: completed, regimens: [pemetrexed 500 mg/m2 IV over 10 min q3w x 4]}
"""
COUNT = int(os.environ.get("MESOTRIAL_FUZZ", "10000"))
SLOWEST_SECONDS = 5.0
MOST_SECONDS = 90.0
PIECES = (
    "", "\n", " ", "  ", "- ", ":", ": ", "{", "}", "[", "]", '"', "'", "&a ", "*a", "!!python/x ", "!!binary ", "#", "|", ">", "%", "~", "null", "-1", "0",
    "1e999", ".nan", ".inf", "0x", "0b2", "1_", "2001-01-01", "nivolumab", "IV", "q0w", "\t", "\x00", "\x85", "é", "\ufeff", "<<: ", "? ", "---\n", "...\n",
    "%YAML 1.1\n---\n", "yes", "9" * 400, "-0.0", "1e308", "x 0", "x 99999", "then ", "from week 9999", "AUC5", "PO", "daily", "once", "d1-21", "d0", "d9,1-",
    "mg/kg", "over ", "q3660d", "ipilimumap 1 mg/kg IV q6w", "low: 1", "sd: 3", "share: 2", "n: 1000000", "600", "1000000", "surgery", "\r", "\r\n", "\u2028",
)  # fmt: skip
LINES = SMALL.splitlines(keepends=True)


def mutated(rng: random.Random) -> str:
    """Change the small design in one to three places: characters, pieces, words, numbers or whole lines."""
    text = SMALL
    for _ in range(rng.randint(1, 3)):
        kind = rng.random()
        at = rng.randrange(len(text) + 1)
        if kind < 0.4:
            text = text[:at] + rng.choice(PIECES) + text[at + rng.choice((0, 0, 1, 2, 5, 20)) :]
        elif kind < 0.55:
            text = (
                text[:at]
                + chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x3000))))
                + text[at + rng.randint(0, 1) :]
            )
        elif kind < 0.8:
            words = text.split(" ")
            words[rng.randrange(len(words))] = rng.choice((*PIECES, rng.choice(words)))
            text = " ".join(words)
        else:
            lines = text.splitlines(keepends=True)
            here, other = rng.randrange(len(lines) + 1), rng.choice(LINES)
            text = (
                "".join((*lines[:here], rng.choice(("", other, " " + other)), *lines[here + rng.randint(0, 1) :]))
                or "\n"
            )
    return text


def outcome(text: str) -> Design | None:
    """Load a text; an error must name the file and, where it is about a field, its line and dotted path."""
    try:
        design = design_from_text(text, "mutated.yaml")
    except CatalogueError as error:
        assert str(error).startswith("mutated.yaml")
        assert isinstance(error, DataError | RegimenError)
        if isinstance(error, RegimenError):
            assert ", line " in error.where and "regimens[" in error.where
        elif "YAML" not in error.message:
            assert error.line is not None
        assert len(str(error)) < 2000
        return None
    assert isinstance(design, Design)
    return design


def test_mutated_files_never_bring_a_traceback_or_a_hang() -> None:
    rng = random.Random(20260801)
    good, slowest, start = 0, 0.0, time.process_time()
    for number in range(COUNT):
        if "MESOTRIAL_FUZZ" not in os.environ and time.process_time() - start > MOST_SECONDS:
            assert number > COUNT / 10
            break
        text = mutated(rng)
        began = time.perf_counter()
        try:
            design = outcome(text)
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error} for\n{text!r}")
        slowest = max(slowest, time.perf_counter() - began)
        good += design is not None
    assert slowest < SLOWEST_SECONDS
    assert 0 < good < COUNT  # some changes matter, some do not


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(MAPS2)), st.integers(0, 40), st.sampled_from(PIECES) | st.text(max_size=8)),
        min_size=1,
        max_size=4,
    )
)
def test_a_mutated_trial_of_the_catalogue_is_a_design_or_a_catalogue_error(changes: list[tuple[int, int, str]]) -> None:
    text = MAPS2
    for at, cut, piece in changes:
        text = text[:at] + piece + text[at + cut :]
    design = outcome(text)
    if design is not None:
        assert design_from_text(design.to_yaml()) == design


def test_a_tab_in_a_text_comes_back_as_it_is() -> None:
    """A long text is folded over lines, and a tab is an escape at their edge."""
    text = MAPS2.replace("more were women (37 %)", "more were women \t(37 %)")
    design = outcome(text)
    assert design is not None and "\t" in design.population.sources["weight_kg"]
    assert design_from_text(design.to_yaml()) == design


def test_a_ratio_far_from_the_sizes_is_refused() -> None:
    text = (
        SMALL.replace("ratio: [2, 1]", "ratio: [1, 50]").replace("block: 6", "block: 51").replace("n: 50\n", "n: 60\n")
    )
    with pytest.raises(DataError, match=r"1:50 does not fit arms of 60, 50 patients") as caught:
        design_from_text(text, "mutated.yaml")
    assert caught.value.path == "randomisation.ratio"


NUMBERS = (
    st.floats(allow_nan=True, allow_infinity=True)
    | st.integers()
    | st.sampled_from([0, 1, -1, 0.5, 24, 1e9, 1e-9, True, None, "7", [], {}])
)
FIELDS = (
    "arms[0].n", "randomisation.block", "follow_up_months", "accrual_months", "population.female", "population.weight_kg.median",
    "population.weight_kg.low", "population.weight_kg.high", "population.weight_kg.cv_percent", "scans.window_days", "scans.missed_rate",
    "arms[0].max_treatment_days",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FIELDS), NUMBERS)
def test_a_field_of_any_value_is_taken_or_named(field: str, value: object) -> None:
    """Structured: one field of the design gets any number, or what is not one."""
    import io
    import re

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    data = yaml.load(SMALL)
    *path, last = [int(part) if part.isdigit() else part for part in re.findall(r"\w+", field)]
    inner = data
    for part in path:
        inner = inner[part]
    inner[last] = value
    out = io.StringIO()
    yaml.dump(data, out)
    try:
        design = design_from_text(out.getvalue(), "mutated.yaml")
    except DataError as error:
        assert error.line is not None and error.path
    else:
        assert isinstance(design, Design)
