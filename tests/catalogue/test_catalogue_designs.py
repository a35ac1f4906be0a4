from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mesotrial.catalogue import (
    CatalogueError,
    DataError,
    RegimenError,
    Scans,
    design_from_text,
    design_schema,
    find,
    load_design,
    load_drug,
    published_results,
)
from mesotrial.catalogue._sources import packaged, packaged_names

DESIGNS = packaged_names("designs")
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SMALL = """\
name: what-if
line: relapsed
population:
  like: maps2
arms:
  - name: nivo
    n: 50
    regimens:
      - nivolumab 240 mg IV over 30 min q2w
  - name: control
    n: 50
    regimens: [placebo IV q2w]
scans:
  every_weeks: "6 to 52w then 12"
follow_up_months: 24
"""


@pytest.mark.parametrize("name", DESIGNS)
def test_the_catalogues_designs_pass_their_own_check(name: str) -> None:
    document, text = packaged("designs", name)
    assert design_from_text(text, document.file) == load_design(name)


@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_written_out_and_read_again_is_the_same(name: str) -> None:
    design = load_design(name)
    again = design_from_text(design.to_yaml())
    assert again == design
    assert pickle.loads(pickle.dumps(design)) == design
    assert design.source_text == packaged("designs", name)[1]


@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_agrees_with_the_published_table(name: str) -> None:
    design = load_design(name)
    rows = published_results(design.evidence_trial)
    assert design.registry == rows[0].nct
    assert {arm.name for arm in design.arms} <= {row.arm for row in rows}
    analysed = {"DREAM3R": 174, "Mesothelin CAR-T (MSK)": 18}  # of 214; of 27, those who went on to pembrolizumab
    assert sum(arm.n for arm in design.arms) == analysed.get(design.evidence_trial, rows[0].n_trial)
    by_arm = {
        row.arm: row.n_used for row in rows if row.code == "OS_MEDIAN" and row.subgroup_code == "all" and row.scored
    }
    if name == "ms01":  # the table has no median of the one chemotherapy arm alone, but one of both together
        by_arm["ASC+MVP"] = by_arm.pop("ASC+chemo (pooled)") - by_arm["ASC+vinorelbine"]
    if rows[0].role != "context":  # the table has neither sizes nor scans of those
        assert {arm.name: arm.n for arm in design.arms} == by_arm
        assert design.scans.every_weeks in {row.scan_weeks for row in rows}
    if rows[0].median_age is not None:
        assert design.population.age_years.median == rows[0].median_age
    assert find(name).name == design.evidence_trial
    times = [row.time_months for row in rows if row.scored and row.time_months is not None]
    last = max(times, default=12) if name != "determine" else 12
    assert design.follow_up_months >= last


@pytest.mark.parametrize("name", DESIGNS)
def test_every_number_of_a_population_has_a_source(name: str) -> None:
    population = load_design(name).population
    assert set(population.sources) == {f for f in population.__dataclass_fields__ if f != "sources"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_load(path: Path) -> None:
    design = load_design(path)
    assert all(load_drug(drug).name == drug for drug in design.drugs)


def test_what_the_trials_gave() -> None:
    checkmate = load_design("CheckMate 743")
    chemo = checkmate.arms[1]
    assert chemo.drugs == ("pemetrexed", "cisplatin", "carboplatin")
    assert [choice.share for choice in chemo.one_of] == [0.35, 0.65]
    assert checkmate.drugs == ("nivolumab", "ipilimumab", "pemetrexed", "cisplatin", "carboplatin")
    assert [len(r.dose_days(728)) for r in checkmate.arms[0].regimens] == [52, 18]
    assert load_design("confirm").randomisation.ratio == (2, 1)
    assert load_design("determine").arms[0].regimens[0].dose_days(400) == (0, 28, 56, 84, 112, 140, 168, 196, 280, 364)


def test_defaults_and_like() -> None:
    design = design_from_text(SMALL)
    assert design.population == load_design("maps2").population
    assert (
        design.evidence_trial == ""
        and design_from_text(SMALL + "evidence_trial: maps-2").evidence_trial == "MAPS2 (IFCT-1501)"
    )
    assert design.randomisation.ratio == (1, 1) and design.randomisation.block == 4
    assert (design.title, design.arms[0].label, design.arms[0].stop_rules.toxicity_grade) == ("what-if", "nivo", 3)
    changed = design_from_text(
        SMALL.replace("like: maps2", "like: CONFIRM\n  female: 0.5\n  sources: {female: '[guess]'}")
    )
    assert changed.population == replace(
        load_design("confirm").population,
        female=0.5,
        sources={**load_design("confirm").population.sources, "female": "[guess]"},
    )


def test_other_names_of_a_drug_are_understood() -> None:
    design = design_from_text(SMALL.replace("nivolumab 240", "Opdivo 240"))
    assert design.arms[0].regimens[0].drug == "nivolumab"
    assert design.arms[0].regimens[0].text.startswith("Opdivo")


def test_scan_days() -> None:
    weeks = [day / 7 for day in Scans("6 to 52w then 12").scan_days(72 * 7)]
    assert weeks == [6, 12, 18, 24, 30, 36, 42, 48, 60, 72]
    assert Scans("12").scan_days(168) == (84, 168)
    assert Scans("9 to 26w then 12").scan_days(300)[:3] == (63, 126, 210)
    with pytest.raises(CatalogueError, match="cannot read the scan schedule"):
        Scans("every now and then").scan_days(100)


# fmt: off
BAD = [
    ("line: relapsed", "line: relapsed\n  oops: [1", 3, "", "not readable as YAML"),
    ("line: relapsed", "line: third", 2, "line", "must be 'first' or 'relapsed'"),
    ("line: relapsed\n", "", 1, "line", "is missing; expected: line of treatment"),
    ("scans:\n", "scan:\n", 1, "scans", "is missing"),
    ("line: relapsed", "line: relapsed\ntitel: x", 3, "titel", "did you mean title?"),
    ("    n: 50\n    regimens:\n", "    n: 0\n    regimens:\n", 7, "arms[0].n", "must be at least 1 (here 0)"),
    ("    n: 50\n    regimens:\n", "    n: -5\n    regimens:\n", 7, "arms[0].n", "must be at least 1 (here -5)"),
    (
        "    n: 50\n    regimens:\n",
        "    n: many\n    regimens:\n",
        7,
        "arms[0].n",
        "must be a whole number (here 'many')",
    ),
    ("    n: 50\n    regimens:\n", "    n: 2.5\n    regimens:\n", 7, "arms[0].n", "must be a whole number (here 2.5)"),
    ("regimens: [placebo IV q2w]", "regimens: []", 10, "arms[1]", "arm 'control' has no regimen"),
    ("    regimens: [placebo IV q2w]\n", "", 10, "arms[1]", "arm 'control' has no regimen"),
    ("name: control", "name: nivo", 10, "arms[1].name", "two arms are called 'nivo'"),
    ("scans:", "randomisation: {ratio: [2, 1, 1]}\nscans:", 13, "randomisation.ratio", "has 3 numbers for 2 arms"),
    ("scans:", "randomisation: {strata: [histolgy]}\nscans:", 13, "randomisation.strata[0]", "did you mean histology?"),
    (
        "scans:",
        "randomisation: {ratio: [2, 1], block: 4}\nscans:",
        13,
        "randomisation.block",
        "must be a multiple of 3",
    ),
    ('"6 to 52w then 12"', "every month", 14, "scans.every_weeks", "cannot read the scan schedule"),
    ('"6 to 52w then 12"', '"0"', 14, "scans.every_weeks", "at least a week apart"),
    ("like: maps2", "like: mapps2", 4, "population.like", "did you mean maps2"),
    ("like: maps2", "female: 0.2", 3, "population", "has no age_years, weight_kg"),
    ("like: maps2", "like: maps2\n  female: 20", 5, "population.female", "must be at most 1 (here 20)"),
    (
        "like: maps2",
        "like: maps2\n  age_years: {median: 70, low: 30, high: 90}",
        5,
        "population.age_years",
        "needs either sd",
    ),
    (
        "like: maps2",
        "like: maps2\n  age_years: {median: 70, sd: 8, low: 75, high: 90}",
        5,
        "population.age_years",
        "must lie between",
    ),
    ("like: maps2", "like: maps2\n  weight_kg: {median: 70, sd: 9, low: -5, high: 90}", 5, "population.weight_kg", "low -5 is not possible"),
    ("like: maps2", "like: maps2\n  weight_kg: {median: 70, sd: 9, low: 40, high: 900}", 5, "population.weight_kg", "high 900 is not possible"),
    ("like: maps2", "like: maps2\n  weight_kg: {median: 70, sd: 9, low: 90, high: 40}", 5, "population.weight_kg", "low 90 must be less than high 40"),
    ("like: maps2", "like: maps2\n  weight_kg: {median: 70, sd: -9, low: 40, high: 90}", 5, "population.weight_kg.sd", "must be more than 0"),
    ("like: maps2", "like: maps2\n  epithelioid: -0.1", 5, "population.epithelioid", "must be at least 0 (here -0.1)"),
    ("name: control", "name: ' NIVO'", 10, "arms[1].name", "two arms are called 'nivo' and ' NIVO'"),
    ('"6 to 52w then 12"', '"120"', 14, "scans.every_weeks", "the first scan comes after the follow-up of 24 months has ended"),
    ('"6 to 52w then 12"', '"6 to 12w then 500"', 14, "scans.every_weeks", "the last scan, in week 12, comes before the end of treatment"),
    ("line: relapsed", "line: relapsed\nevidence_trial: MARS3", 3, "evidence_trial", "did you mean MARS 2"),
    ("line: relapsed", "line: relapsed\nline: first", 3, "line", "written twice"),
    ("follow_up_months: 24", "follow_up_months: 0", 15, "follow_up_months", "must be more than 0 (here 0)"),
    ("follow_up_months: 24", "follow_up_months: 601", 15, "follow_up_months", "must be at most 600 (here 601)"),
    ("line: relapsed", "line: relapsed\naccrual_months: -1", 3, "accrual_months", "must be at least 0 (here -1)"),
    ("  every_weeks", "  window_days: 61\n  every_weeks", 14, "scans.window_days", "must be at most 60 (here 61)"),
    ("name: nivo\n", "name: nivo\n    stop_rules: {toxicity_grade: 5}\n", 7, "arms[0].stop_rules.toxicity_grade", "must be at most 4 (here 5)"),
    ("follow_up_months: 24", "follow_up_months: .inf", 15, "follow_up_months", "must be a finite number"),
    ("follow_up_months: 24", "follow_up_months: '24'", 15, "follow_up_months", "must be a number (here '24')"),
]
# fmt: on


@pytest.mark.parametrize(("old", "new", "line", "path", "message"), BAD)
def test_an_error_names_file_line_field_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, path: str, message: str
) -> None:
    file = tmp_path / "my design.yaml"
    assert old in SMALL
    file.write_text(SMALL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_design(file)
    error = caught.value
    assert (error.file, error.path) == (str(file), path)
    assert message in error.message
    assert abs((error.line or 0) - line) <= (
        1 if "missing" in message or "no regimen" in message or "YAML" in message else 0
    )
    assert str(error).startswith(f"{file}, line {error.line}")


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("nivolumab 240 mg iw q2w", "iw", "expected a route"),
        ("nivolumap 240 mg IV q2w", "nivolumap", "did you mean nivolumab?"),
        (
            "pegargiminase 36 mg IM q1w",
            "pegargiminase",
            "pegargiminase is in the catalogue but cannot be simulated yet",
        ),
        ("nivolumab 240 mg PO q2w", "PO", "nivolumab is not given PO here; its routes: IV"),
        ("nivolumab 240 mg IV x 6", "x", "says how many cycles, but not how long one is"),
        ("nivolumab 240 mg IV q2w x 6 then x 3", "x", "says how many cycles, but not how long one is"),
        ("nivolumab 240 mg IV q2w from week 200", "nivolumab", "starts on day 1400, after follow-up has ended"),
        ("nivolumab -240 mg IV q2w", "-240", "above 0"),
    ],
)
def test_a_regimen_in_a_file_is_quoted_with_its_place(tmp_path: Path, text: str, word: str, message: str) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(SMALL.replace("nivolumab 240 mg IV over 30 min q2w", text), encoding="utf-8")
    with pytest.raises(RegimenError, match=message) as caught:
        load_design(str(file))
    first, quoted, carets = str(caught.value).splitlines()
    assert first.startswith(f"{file}, line 9, arms[0].regimens[0]: ")
    assert quoted[carets.index("^") : carets.rindex("^") + 1] == word


@pytest.mark.parametrize(
    ("second", "good"),
    [
        ("nivolumab 480 mg IV q4w from week 52", True),
        ("nivolumab 480 mg IV q4w from week 24", False),
        ("nivolumab 480 mg IV q4w from week 51", True),
        ("Opdivo 480 mg IV once from week 50", False),
        ("ipilimumab 1 mg/kg IV q6w", True),
    ],
)
def test_one_drug_is_given_by_one_regimen_at_a_time(second: str, good: bool) -> None:
    first = "nivolumab 240 mg IV over 30 min q2w"
    text = SMALL.replace(f"      - {first}\n", f"      - {first} x 26\n      - {second}\n")
    if good:
        assert len(design_from_text(text).arms[0].regimens) == 2
        return
    with pytest.raises(RegimenError, match=r"line 10, arms\[0\].regimens\[1\]: overlaps with arms\[0\].regimens\[0\]"):
        design_from_text(text)


def test_alternatives_of_one_drug_do_not_overlap_but_an_alternative_and_a_common_regimen_do() -> None:
    one_of = "    one_of: [{share: 0.5, regimens: [cisplatin 75 mg/m2 IV q3w]}, {share: 0.5, regimens: [cisplatin 50 mg/m2 IV q3w]}]\n"
    text = SMALL.replace("    regimens: [placebo IV q2w]\n", "    regimens: [placebo IV q2w]\n" + one_of)
    assert design_from_text(text).arms[1].drugs == ("placebo", "cisplatin")
    with pytest.raises(
        RegimenError, match=r"arms\[1\].one_of\[0\].regimens\[0\]: overlaps with arms\[1\].regimens\[0\]"
    ):
        design_from_text(text.replace("regimens: [placebo IV q2w]", "regimens: [cisplatin 75 mg/m2 IV q3w x 2]"))


def test_a_design_may_have_one_arm() -> None:
    design = load_design("javelin")
    assert (len(design.arms), design.randomisation.ratio, design.randomisation.block) == (1, (1,), 1)
    assert design_from_text(
        SMALL.split("  - name: control")[0] + SMALL[SMALL.index("scans:") :]
    ).randomisation.ratio == (1,)


def test_shares_of_alternatives_add_up() -> None:
    one_of = "one_of: [{share: 0.5, regimens: [placebo IV q2w]}, {share: 0.4, regimens: [placebo IV q3w]}]"
    with pytest.raises(DataError, match=r"arms\[1\].one_of: the shares add up to 0.9, not 1"):
        design_from_text(SMALL.replace("regimens: [placebo IV q2w]", one_of))
    assert (
        design_from_text(SMALL.replace("regimens: [placebo IV q2w]", one_of.replace("0.4", "0.5")))
        .arms[1]
        .one_of[1]
        .share
        == 0.5
    )


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="there is no file nowhere.yaml"):
        load_design("nowhere.yaml")
    with pytest.raises(CatalogueError, match="cannot read"):
        load_design(tmp_path)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        load_design(tmp_path / "x.yaml")
    for text in ("", "- a list", "just words", "a: &x 1\nb: *x", "[" * 3000):
        with pytest.raises(DataError):
            design_from_text(text)


def test_the_schema_describes_every_field() -> None:
    schema = design_schema()
    json.dumps(schema)
    parts = [schema, *schema["$defs"].values()]
    bare = [
        (part["title"], name)
        for part in parts
        for name, field in part.get("properties", {}).items()
        if "description" not in field
    ]
    assert bare == []
    assert {"name", "line", "population", "arms", "scans", "follow_up_months"} <= set(schema["required"])


def test_loading_a_trial_is_quick() -> None:
    """The first load in a fresh process, with the drugs: the aim is 0.3 s on an idle machine; here it must stay clear of heavy imports."""
    code = (
        "import sys; from mesotrial.catalogue import load_design, load_drug; [load_drug(d) for d in load_design('maps2').drugs];"
        "heavy = {'pydantic', 'polars', 'numpy', 'numba', 'sympy', 'matplotlib'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
