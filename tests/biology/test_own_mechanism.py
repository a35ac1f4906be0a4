"""A new drug is a data file; a new way of acting is one data file and one file of Antimony. Done here with made-up ones in a user's own folder."""

import re
from pathlib import Path

import numpy as np
import pytest

from mesotrial.biology import assemble
from mesotrial.catalogue import CatalogueError, find, load_design, load_drug
from mesotrial.catalogue._sources import packaged
from mesotrial.engine import Doses, compile_model, unit_warnings

MADE_UP = """
name: glowworm
drug_class: made-up lamp
target: darkness
immunity: [active, nonspecific]
routes: [intrapleural]
regimens: ["glowworm 5 mg intrapleural q1w x 2"]
founded: made up
exploratory: true
translation: glow
plain_words: A made-up drug.
how_it_works: Light kills tumour cells; nothing else in the model knows of it.
sources: {made_up: "[guess] made up for a test"}
pk:
  model: local
  source: made_up
  status: guess
  parameters: {LOSS: {value: 0.5, unit: 1/day}}
effects:
  - on: glow
    source: made_up
    status: guess
    values: {RATE: {value: 0.1, unit: 1/day}, HALF: {value: 1, unit: mg}}
"""
MECHANISM = """// Light, which kills what it reaches.
var $drug_light has per_day;
$drug_light := $benefit * $drug_glow_RATE * $level / ($level + $drug_glow_HALF);
death_sensitive += $drug_light;
death_escape += $drug_light;
"""
FACTOR = 'name,low,middle,high,meaning,source,status\nglow,0,0.5,1,what light does,"[guess]",guess\n'


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("drugs", "mechanisms"):
        (tmp_path / folder).mkdir()
    (tmp_path / "drugs" / "glowworm.yaml").write_text(MADE_UP, encoding="utf-8")
    (tmp_path / "mechanisms" / "glow.ant").write_text(MECHANISM, encoding="utf-8")
    (tmp_path / "translation.csv").write_text(FACTOR, encoding="utf-8")
    monkeypatch.setenv("MESOTRIAL_CATALOGUE", str(tmp_path))
    return tmp_path


def test_a_made_up_mechanism_is_one_data_file_and_one_file_of_antimony(own: Path) -> None:
    drug = load_drug("glowworm")
    assert find("Glowworm").runnable and drug.translation is not None and drug.translation.high == 1.0
    model = assemble([drug])
    assert unit_warnings(model.sbml) == [] and model.enters("glowworm", "intrapleural") == ("glowworm_amount",)
    simulator = compile_model(
        model.sbml, observables=["tumour_live"], inputs=("translation_glow",), dosed=model.dosed["glowworm"], backend="reference"
    )  # fmt: skip
    doses = Doses(np.array([0, 1]), np.zeros(2), ["glowworm_amount"] * 2, np.array([5.0, 5.0]))
    state = simulator.advance(simulator.start(np.array([[1.0], [0.0]])), until=2.0, doses=doses)
    lit, dark = simulator.observe(state, ["tumour_live"])["tumour_live"]
    assert 0.8 < lit / dark < 0.9


def test_a_factor_may_be_a_sum(own: Path) -> None:
    factors = "growth_factor *= 1 - 0.5 * $benefit;\ngrowth_factor *= 1;\nroom_left *= 1 - 0.1 * $benefit;\nvar room_left has dimensionless;\n"
    (own / "mechanisms" / "glow.ant").write_text(MECHANISM + factors, encoding="utf-8")
    text = assemble([load_drug("glowworm")]).antimony
    assert re.search(r"growth_factor := .*\(1 dimensionless - 0\.5 dimensionless \* translation_glow\)", text)
    assert "room_left := (1 dimensionless - 0.1 dimensionless * translation_glow);" in text


def test_a_drug_of_a_known_kind_is_a_data_file(own: Path) -> None:
    text = packaged("drugs", "pembrolizumab")[1].replace("name: pembrolizumab", "name: novumab")
    (own / "drugs" / "novumab.yaml").write_text(text, encoding="utf-8")
    design = own / "mine.yaml"
    design.write_text(
        packaged("designs", "confirm")[1].replace("nivolumab 240 mg IV over 30 min q2w", "novumab 200 mg IV q3w"),
        encoding="utf-8",
    )
    assert load_drug("novumab").name == "novumab"
    if "novumab" in design.read_text(encoding="utf-8"):
        assert "novumab" in load_design(design).drugs
    assert "pd1_blockade := novumab_concentration / novumab_EC50_pd1" in assemble([load_drug("novumab")]).antimony


def test_what_is_missing_is_named(own: Path) -> None:
    file = own / "drugs" / "dimworm.yaml"
    file.write_text(
        MADE_UP.replace("glowworm", "dimworm").replace(", HALF: {value: 1, unit: mg}", ""), encoding="utf-8"
    )
    with pytest.raises(CatalogueError, match=r"drug dimworm: its mechanisms \(local, glow\) also need glow_HALF"):
        assemble([load_drug("dimworm")])
    (own / "mechanisms" / "glow.ant").unlink()
    with pytest.raises(CatalogueError, match="no mechanism is called 'glow'"):
        assemble([load_drug("glowworm")])
