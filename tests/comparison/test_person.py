"""What people write of a person is taken, marked or refused."""

import pytest

from mesotrial.comparison import PatientError, person_from_text


def test_the_example_is_read_whole() -> None:
    person = person_from_text("age 70, male, epithelioid, ECOG 1, PD-L1 5%, first line")
    assert person.line == "first"
    assert person.continuous == {"age_years": 70.0}
    assert person.groups == {"female": 0.0, "epithelioid": 1.0, "ecog_ge1": 1.0, "pdl1_ge1": 1.0}
    assert person.notes == person.extrapolation == ()


@pytest.mark.parametrize(
    ("text", "group", "value"),
    [
        ("PD-L1 <1 %", "pdl1_ge1", 0.0),
        ("pdl1 1%", "pdl1_ge1", 1.0),
        ("PD-L1 0.5%", "pdl1_ge1", 0.0),
        ("PD-L1 negative", "pdl1_ge1", 0.0),
        ("woman", "female", 1.0),
        ("Sarcomatoid", "epithelioid", 0.0),
        ("ECOG 0", "ecog_ge1", 0.0),
        ("ps 1", "ecog_ge1", 1.0),
    ],
)
def test_ways_to_say_a_group(text: str, group: str, value: float) -> None:
    assert person_from_text(f"{text}, relapsed").groups == {group: value}


def test_measures_take_units() -> None:
    person = person_from_text(
        "2nd line; weight 80 kg, albumin 35 g/L, LDH 300, eGFR 60 mL/min, height 1.7e2".replace("1.7e2", "170 cm")
    )
    assert person.continuous == {
        "weight_kg": 80.0,
        "albumin_g_per_l": 35.0,
        "ldh_u_per_l": 300.0,
        "egfr_ml_per_min": 60.0,
        "height_cm": 170.0,
    }


@pytest.mark.parametrize(
    ("text", "word", "says"),
    [
        ("age 70, mael, first line", "mael", "did you mean male"),
        ("age 170, first line", "age 170", "from 18 to 100 years"),
        ("weight 80 lb, first line", "weight 80 lb", "in kg"),
        ("first line, ECOG 3", "ECOG 3", "no trial here"),
        ("first line, male, female", "female", "said before"),
        ("first line, tumour 80", "tumour 80", "in mm or cm"),
        ("first line, tumor 90 cm", "tumor 90 cm", "from 10 to 500 mm"),
        ("first line, PD-L1 500%", "PD-L1 500%", "between 0 and 100"),
        ("first line, asbestos", "asbestos", "not known"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, word: str, says: str) -> None:
    with pytest.raises(PatientError, match=says) as caught:
        person_from_text(text)
    assert text[caught.value.start : caught.value.end] == word
    caret = str(caught.value).splitlines()[-1]
    assert caret == "  " + " " * caught.value.start + "^" * len(word)


def test_the_line_has_to_be_said() -> None:
    with pytest.raises(PatientError, match="which line of treatment"):
        person_from_text("age 70, male")


def test_what_lies_outside_the_trials_is_marked() -> None:
    assert "nearly all patients" in person_from_text("ECOG 2, first line").extrapolation[0]
    assert "simulated as pleural" in person_from_text("peritoneal, first line").extrapolation[0]
    assert "non-epithelioid" in person_from_text("biphasic, first line").notes[0]


@pytest.mark.parametrize("text", ["tumour 80 mm", "Tumor 8 cm", "tumour size 80 mm", "size 80 mm"])
def test_ways_to_say_a_size(text: str) -> None:
    person = person_from_text(f"{text}, first line")
    assert person.tumour_mm == 80.0
    assert person.groups == person.continuous == {}
