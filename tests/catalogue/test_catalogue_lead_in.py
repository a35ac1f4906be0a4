"""The lead-in of a design file: read, written, described, and refused with a dotted path."""

from __future__ import annotations

import pytest

from mesotrial.catalogue import (
    Alternative,
    CatalogueError,
    LeadIn,
    design_from_text,
    design_schema,
    load_design,
    parse_regimen,
)

DESIGN = """\
name: maintained
line: first
population: {like: checkmate743}
lead_in:
  weeks: 15
  regimens:
    - pemetrexed 500 mg/m2 IV over 10 min q3w x 4
  one_of:
    - {share: 0.4, regimens: ["cisplatin 75 mg/m2 IV over 120 min q3w x 4"]}
    - {share: 0.6, regimens: ["carboplatin AUC5 IV over 30 min q3w x 4"]}
arms:
  - {name: kept-up, n: 50, regimens: ["nivolumab 240 mg IV over 30 min q2w"]}
  - {name: not, n: 50, regimens: ["placebo IV q2w"]}
scans: {every_weeks: "6"}
follow_up_months: 24
"""


def test_it_is_read_and_written() -> None:
    design = design_from_text(DESIGN)
    cisplatin, carboplatin = "cisplatin 75 mg/m2 IV over 120 min q3w x 4", "carboplatin AUC5 IV over 30 min q3w x 4"
    assert design.lead_in == LeadIn(
        (parse_regimen("pemetrexed 500 mg/m2 IV over 10 min q3w x 4"),),
        15.0,
        (Alternative(0.4, (parse_regimen(cisplatin),)), Alternative(0.6, (parse_regimen(carboplatin),))),
        "no_progression",
    )
    assert design.lead_in.days == 105
    assert design.drugs == ("nivolumab", "placebo", "pemetrexed", "cisplatin", "carboplatin")
    assert design_from_text(design.to_yaml()) == design
    assert "lead_in" not in load_design("maps2").to_yaml()


def test_the_schema_describes_it() -> None:
    schema = design_schema()
    fields = schema["$defs"]["LeadInFile"]["properties"]
    assert set(fields) == {"regimens", "one_of", "weeks", "require"}
    assert all(field["description"] for field in fields.values())


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("weeks: 15", "weeks: 0", "lead_in.weeks", "more than 0"),
        ("weeks: 15", "weeks: 9", "lead_in.regimens[0]", "last dose on day 63"),
        ("weeks: 15", "weeks: 15\n  week: 3", "lead_in.week", "did you mean weeks"),
        ("  weeks: 15\n", "", "lead_in.weeks", "is missing"),
        ("weeks: 15", "weeks: fifteen", "lead_in.weeks", "must be a number"),
        ("weeks: 15", "weeks: 15\n  require: response", "lead_in.require", "'no_progression'"),
        ("share: 0.4", "share: 0.3", "lead_in.one_of", "add up to 0.9"),
        ("30 min q3w x 4", "30 min q3w x 6", "lead_in.one_of[1].regimens[0]", "last dose on day 105"),
        ("10 min q3w x 4", "10 min q3w from week 15", "lead_in.regimens[0]", "starts on day 105"),
        ("pemetrexed 500", "pemetrexid 500", "lead_in.regimens[0]", "did you mean pemetrexed"),
        ("m2 IV over 10 min", "m2 PO", "lead_in.regimens[0]", "not given PO"),
        ('["cisplatin 75', '["pemetrexed 75', "lead_in.one_of[0].regimens[0]", "overlaps with lead_in.regimens[0]"),
    ],
)
def test_a_mistake_is_explained(old: str, new: str, path: str, says: str) -> None:
    assert old in DESIGN
    with pytest.raises(CatalogueError) as caught:
        design_from_text(DESIGN.replace(old, new, 1), "maintained.yaml")
    message = str(caught.value)
    assert f"{path}:" in message and says in message and "maintained.yaml, line" in message
