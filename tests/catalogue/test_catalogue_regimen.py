from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesotrial.catalogue import CatalogueError, Phase, Regimen, RegimenError, parse_regimen

WORDS = [
    "nivolumab",
    "3",
    "mg/kg",
    "AUC5",
    "AUC",
    "IV",
    "over",
    "60",
    "min",
    "d1-3",
    "q2w",
    "x",
    "6",
    "then",
    "once",
    "from",
    "week",
    "٣",
    "-1",
    "1e9",
]


@pytest.mark.parametrize(
    ("text", "drug", "amount", "unit", "route", "minutes", "phases"),
    [
        ("nivolumab 3 mg/kg IV over 60 min q2w x 52", "nivolumab", 3, "mg/kg", "IV", 60, (Phase(14, 52),)),
        ("cisplatin 75 mg/m2 IV d1 q3w x 6", "cisplatin", 75, "mg/m2", "IV", 0, (Phase(21, 6),)),
        ("carboplatin AUC5 IV d1 q3w x 6", "carboplatin", 5, "AUC", "IV", 0, (Phase(21, 6),)),
        ("carboplatin AUC 6 IV q3w", "carboplatin", 6, "AUC", "IV", 0, (Phase(21, None),)),
        (
            "tremelimumab 10 mg/kg IV over 1 h q4w x 7 then q12w",
            "tremelimumab",
            10,
            "mg/kg",
            "IV",
            60,
            (Phase(28, 7), Phase(84, None)),
        ),
        ("placebo IV q2w", "placebo", 0, "mg", "IV", 0, (Phase(14, None),)),
        ("Interferon Alfa-2b 10mg sc over 5min daily x10", "interferon alfa-2b", 10, "mg", "SC", 5, (Phase(1, 10),)),
        ("thalidomide 200 mg po once", "thalidomide", 200, "mg", "PO", 0, (Phase(1, 1),)),
    ],
)
def test_reads_regimens(
    text: str, drug: str, amount: float, unit: str, route: str, minutes: float, phases: tuple[Phase, ...]
) -> None:
    regimen = parse_regimen(text)
    assert (regimen.drug, regimen.amount, regimen.unit, regimen.route) == (drug, amount, unit, route)
    assert (regimen.infusion_minutes, regimen.phases, regimen.text) == (minutes, phases, text)


@pytest.mark.parametrize(
    ("text", "until", "days"),
    [
        ("a 1 mg IV q2w", 42, (0, 14, 28)),
        ("a 1 mg IV q2w x 2", 100, (0, 14)),
        ("a 1 mg IV q4w x 2 then q12w", 225, (0, 28, 56, 140, 224)),
        ("a 1 mg IV d1,8 q3w from week 6", 80, (42, 49, 63, 70)),
        ("a 1 mg PO d1-3 q1w x 2", 100, (0, 1, 2, 7, 8, 9)),
        ("a 1 mg IV q2w from day 3", 18, (3, 17)),
        ("a 1 mg IV q2w", 0, ()),
    ],
)
def test_dose_days_count_from_zero_and_stop_before_the_end(text: str, until: float, days: tuple[float, ...]) -> None:
    assert parse_regimen(text).dose_days(until) == days


def test_two_years_every_two_weeks_are_52_doses() -> None:
    assert len(parse_regimen("nivolumab 3 mg/kg IV q2w").dose_days(728)) == 52


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("nivolumab 3 mg/kg iw q2w", "iw", "did you mean IV"),
        ("nivolumab -3 mg/kg IV q2w", "-3", "above 0"),
        ("nivolumab 0 mg/kg IV q2w", "0", "above 0"),
        ("nivolumab 3 mg/lb IV q2w", "mg/lb", "unit of dose"),
        ("nivolumab IV q2w", "IV", "a dose"),
        ("nivolumab 3 mg/kg IV q0w", "q0w", "interval"),
        ("nivolumab 3 mg/kg IV every 2 weeks", "every", "interval"),
        ("nivolumab 3 mg/kg IV over sixty min q2w", "sixty", "number"),
        ("nivolumab 3 mg/kg IV over 60 sec q2w", "sec", "min or h"),
        ("nivolumab 3 mg/kg IV q2w x 0", "0", "whole number"),
        ("nivolumab 3 mg/kg IV q2w until progression", "until", "nothing more"),
        ("nivolumab 3 mg/kg IV d15 q2w", "d15", "outside the cycle"),
        ("nivolumab 3 mg/kg IV d9-3 q2w", "d9-3", "backwards"),
        ("nivolumab 3 mg/kg IV q2w then q4w", "then", "number of cycles"),
        ("nivolumab 3 mg/kg IV q2w from week six", "six", "number"),
        ("nivolumab 3 mg/kg IV q2w from month 2", "month", "week"),
        ("3 mg/kg nivolumab IV q2w", "3", "drug first"),
        ("surgery 100 % at week 8", "100", "less than 100 %"),
        ("surgery 95 mg at week 8", "mg", "expected %"),
        ("surgery 95 % before week 8", "before", "nothing more"),
        ("radiation 30 Gy over 10 at week 2", "over", "expected `in`"),
        ("radiation 300 Gy in 10", "300", "at most 100 Gy"),
        ("radiation 30 Gy in ten", "ten", "whole number"),
        ("mesopher 1e99 cells IV once", "1e99", "at most 1e\\+15"),
        ("nivolumab 1e8 mg IV q2w", "1e8", "at most 1e\\+06"),
    ],
)
def test_the_caret_is_under_the_word(text: str, word: str, expected: str) -> None:
    with pytest.raises(RegimenError, match=expected) as caught:
        parse_regimen(text)
    *_, quoted, carets = str(caught.value).splitlines()
    under = quoted[carets.index("^") : carets.rindex("^") + 1]
    assert (under, quoted.strip()) == (word, text)


@pytest.mark.parametrize("text", ["", "nivolumab", "nivolumab 3", "nivolumab 3 mg/kg IV", "nivolumab 3 mg/kg IV q2w x"])
def test_a_regimen_that_ends_early_says_what_is_missing(text: str) -> None:
    with pytest.raises(RegimenError, match="ends too early: expected"):
        parse_regimen(text)


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(WORDS),
        max_size=14,
    ).map(" ".join)
)
def test_any_text_is_a_regimen_or_a_regimen_error(text: str) -> None:
    try:
        regimen = parse_regimen(text)
    except RegimenError:
        return
    days = regimen.dose_days(400)
    assert all(0 <= day < 400 for day in days)
    assert list(days) == sorted(set(days))
    assert parse_regimen(regimen.text) == regimen


def test_a_phase_made_by_hand_must_move_on() -> None:
    with pytest.raises(ValueError, match="positive"):
        Phase(0, None)
    with pytest.raises(ValueError, match="finite"):
        Regimen("t", "a", 1, "mg", "IV", 0, (1,), (Phase(1, None),)).dose_days(float("inf"))
    assert issubclass(RegimenError, CatalogueError)


@pytest.mark.parametrize(
    ("text", "drug", "amount", "unit", "route", "days"),
    [
        ("surgery 95 % at week 8", "surgery", 95, "%", "operation", (56.0,)),
        ("surgery 50%", "surgery", 50, "%", "operation", (0.0,)),
        (
            "radiation 30 Gy in 10 at week 2",
            "radiation",
            3,
            "Gy",
            "external beam",
            (14, 15, 16, 17, 18, 21, 22, 23, 24, 25),
        ),
        ("radiotherapy 8Gy in 1 at day 3", "radiation", 8, "Gy", "external beam", (3.0,)),
        ("mesothelin CAR-T 1e8 cells intrapleural once", "mesothelin car-t", 1e8, "cells", "intrapleural", (0.0,)),
        ("mesothelin CAR-T 3e7 cells/kg IV once", "mesothelin car-t", 3e7, "cells/kg", "IV", (0.0,)),
        ("hsv1716 1e7PFU intratumoural q1w x 2", "hsv1716", 1e7, "PFU", "intratumoural", (0.0, 7.0)),
        ("aldesleukin 9 MIU intrapleural d1,4 q1w x 1", "aldesleukin", 9, "MIU", "intrapleural", (0.0, 3.0)),
        ("aldesleukin 600000 IU/kg IV over 15 min q8h x 3", "aldesleukin", 600000, "IU/kg", "IV", (0.0, 1 / 3, 2 / 3)),
        ("interferon gamma-1b 40 MU intrapleural once", "interferon gamma-1b", 40, "MIU", "intrapleural", (0.0,)),
        ("galinpepimut-s 800 µg SC q2w x 2", "galinpepimut-s", 800, "mcg", "SC", (0.0, 14.0)),
        ("BCG 1e8 CFU ID once", "bcg", 1e8, "CFU", "ID", (0.0,)),
        ("imiquimod 12.5 mg topical d1-5 q1w x 1", "imiquimod", 12.5, "mg", "topical", (0, 1, 2, 3, 4)),
    ],
)
def test_doses_of_cells_virus_units_operations_and_fractions(
    text: str, drug: str, amount: float, unit: str, route: str, days: tuple[float, ...]
) -> None:
    regimen = parse_regimen(text)
    assert (regimen.drug, regimen.unit, regimen.route) == (drug, unit, route)
    assert regimen.amount == pytest.approx(amount)
    assert regimen.dose_days(100) == pytest.approx(days)
