"""The same people through several options."""

from pathlib import Path

import numpy as np
import pytest

from mesotrial.catalogue import CatalogueError, RegimenError, load_design, therapy_from_text
from mesotrial.comparison import Comparison, compare, person_from_text
from mesotrial.comparison.nearest import nearest_arm, nearest_design
from mesotrial.comparison.outcomes import bands_of, difference_bands_of, differences_of, outcomes_of
from mesotrial.population import draw_cohort, load_parameters
from mesotrial.run import RequestError

_PATIENT = "age 70, male, epithelioid, ECOG 1, PD-L1 5%, first line"


@pytest.fixture(scope="module")
def found() -> Comparison:
    """Two options that share a drug, and one that does nothing."""
    return compare("nivolumab", "nivolumab + ipilimumab", "placebo", patient=_PATIENT, people=60, seed=3)


def test_it_is_plain_and_complete(found: Comparison) -> None:
    plain = found.to_dict()
    assert plain["schema"] == "mesotrial/comparison/1"
    assert [option["therapy"] for option in plain["options"]] == ["nivolumab", "nivolumab + ipilimumab", "placebo"]
    for option in plain["options"]:
        assert option["known"] and len(option["outcomes"]) == 8
        assert option["curves"]["OS"][0] == 1.0
        for name in ("OS", "PFS"):
            assert np.all(np.diff(option["curves"][name]) <= 0)
        for outcome in option["outcomes"]:
            assert 0 <= outcome["lo90"] <= outcome["hi90"] <= 1
    assert plain["options"][1]["published"]["trial"] == "CheckMate 743"
    assert plain["options"][1]["extrapolation"] == []
    assert "relapsed" in plain["options"][0]["extrapolation"][0]


def test_differences_are_those_of_the_same_people(found: Comparison) -> None:
    value = {
        (option.therapy.text, one.code, one.time_months): one.value
        for option in found.options
        for one in option.outcomes
    }
    assert len(found.differences) == 3 * 8
    for one in found.differences:
        away = value[one.first, one.code, one.time_months] - value[one.second, one.code, one.time_months]
        assert one.per_100 == pytest.approx(100 * away)
        assert one.per_100 == pytest.approx(one.only_first - one.only_second)
        assert one.lo90 <= one.per_100 <= one.hi90


def test_the_same_option_alone_gives_the_same_people(found: Comparison) -> None:
    alone = compare("nivolumab", patient=_PATIENT, people=60, seed=3)
    survival = [one.value for one in alone.options[0].outcomes if one.code in ("OS_RATE", "ORR", "PFS_RATE")]
    assert survival == [one.value for one in found.options[0].outcomes if one.code in ("OS_RATE", "ORR", "PFS_RATE")]


def test_pictures_are_written(found: Comparison, tmp_path: Path) -> None:
    assert found.picture(tmp_path / "c.svg").read_text(encoding="utf-8").count("<svg") == 1
    assert found.picture(tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(RequestError, match=r"\.svg or \.png"):
        found.picture(tmp_path / "c.jpeg")
    with pytest.raises(RequestError, match="no folder"):
        found.picture(tmp_path / "nowhere" / "c.svg")


def test_names_stand_for_standard_regimens() -> None:
    both = therapy_from_text("Yervoy + Opdivo")
    assert {regimen.text for regimen in both.regimens} == {
        "nivolumab 3 mg/kg IV over 30 min q2w",
        "ipilimumab 1 mg/kg IV over 30 min q6w",
    }
    assert both.max_treatment_days == 728
    written = therapy_from_text("nivolumab 480 mg IV q4w + bevacizumab")
    assert [regimen.text for regimen in written.regimens] == [
        "nivolumab 480 mg IV q4w",
        "bevacizumab 15 mg/kg IV over 60 min q3w",
    ]
    assert therapy_from_text("chemotherapy").drugs == ("carboplatin", "pemetrexed")
    assert "no trial or label" in therapy_from_text("avelumab + bevacizumab").source


@pytest.mark.parametrize(
    ("text", "word"),
    [("nivolumab + ipilimumaab", "ipilimumaab"), ("nivolumab + ipilimumab 1 mg/kg IX q6w", "IX")],
)
def test_a_wrong_therapy_is_pointed_at(text: str, word: str) -> None:
    with pytest.raises(RegimenError) as caught:
        therapy_from_text(text)
    assert text[caught.value.start : caught.value.end] == word


def test_requests_that_cannot_be() -> None:
    with pytest.raises(CatalogueError, match="joined by"):
        therapy_from_text("nivolumab + ")
    with pytest.raises(RequestError, match="same treatment"):
        compare("nivolumab", "Opdivo", patient=_PATIENT)
    with pytest.raises(RequestError, match="number of people"):
        compare("nivolumab", patient=_PATIENT, people=0)
    with pytest.raises(RequestError, match="1 to 6"):
        compare(patient=_PATIENT)


def test_the_nearest_trial() -> None:
    first, relapsed = person_from_text("first line"), person_from_text("relapsed")
    near = nearest_arm(("cisplatin", "pemetrexed"), first)
    assert near is not None and near.trial == "CheckMate 743" and near.same_drugs and near.same_line
    near = nearest_arm(("nivolumab",), relapsed)
    assert near is not None and near.trial == "CONFIRM"
    assert nearest_design([("nivolumab", "ipilimumab")], "first").name == "checkmate743"
    assert nearest_design([("nivolumab",)], "relapsed").line == "relapsed"


def test_a_given_covariate_moves_what_is_correlated_with_it() -> None:
    population = load_design("checkmate743").population

    def kidneys(age: float) -> tuple[float, float]:
        cohort = draw_cohort(
            population,
            [load_parameters()],
            (),
            line="first",
            seed=1,
            replicate=0,
            numbers=np.arange(4000),
            given={"age_years": age},
        )
        assert set(cohort.covariates["age_years"]) == {age}
        egfr = cohort.covariates["egfr_ml_per_min"]
        return float(egfr.mean()), float(egfr.std())

    old, old_sd = kidneys(69 + 2 * 8.5)
    typical, typical_sd = kidneys(69)
    # correlation -0.4, SD 18: two SD of age take 0.4 * 2 * 18 off; the spread left is sqrt(1 - 0.16) * 18
    assert typical - old == pytest.approx(0.4 * 2 * 18, abs=0.8)
    assert old_sd == pytest.approx(18 * np.sqrt(1 - 0.16), abs=0.8) == pytest.approx(typical_sd, abs=0.8)


def test_a_posterior_widens_the_interval() -> None:
    had = np.array([True] * 30 + [False] * 70 + [True] * 60 + [False] * 40)
    every = dict.fromkeys(_keys(), had)
    one = outcomes_of(every, np.zeros(200, dtype=np.int64))[0]
    two = outcomes_of(every, np.repeat([0, 1], 100))[0]
    assert one.value == two.value == 0.45
    assert two.hi90 - two.lo90 > one.hi90 - one.lo90
    same = differences_of([("a", every), ("b", every)], np.repeat([0, 1], 100))
    assert all(difference.per_100 == 0 and difference.only_first == 0 for difference in same)


def _keys() -> list[tuple[str, float | None]]:
    from mesotrial.comparison.outcomes import OUTCOMES

    return list(OUTCOMES)


def test_what_nobody_knows_is_a_band_and_never_a_point() -> None:
    found = compare("nivolumab", "BCG", "convalescent serum", patient=_PATIENT, people=50, seed=3)
    known, *unknown = found.to_dict()["options"]
    assert known["known"] and known["bands"] == [] and known["curve_bands"] is None
    for option in unknown:
        assert not option["known"] and option["outcomes"] == [] and option["curves"] is None
        assert [(one["code"], one["time_months"]) for one in option["bands"]] == _keys()
        for band in option["bands"]:
            assert 0 <= band["lo90"] < band["hi90"] <= 1 and "value" not in band
        for name in ("OS", "PFS"):
            low, high = (np.array(option["curve_bands"][name][edge]) for edge in ("lo90", "hi90"))
            assert low[0] == high[0] == 1 and np.all(low <= high)
            assert np.all(np.diff(low) <= 0) and np.all(np.diff(high) <= 0)
    assert found.to_dict()["differences"] == []
    pairs = {(one["first"], one["second"]) for one in found.to_dict()["difference_bands"]}
    assert pairs == {("nivolumab", "BCG"), ("nivolumab", "convalescent serum"), ("BCG", "convalescent serum")}
    assert any("Not known means" in line for line in found.to_dict()["certainty"])


def test_a_band_holds_the_intervals_of_all_levels() -> None:
    block = np.zeros(100, dtype=np.int64)
    levels = [dict.fromkeys(_keys(), np.arange(100) < share) for share in (10, 30, 20)]
    ranges = [outcomes_of(had, block)[0] for had in levels]
    band = bands_of(levels, block)[0]
    assert band.lo90 == ranges[0].lo90 and band.hi90 == ranges[1].hi90
    away = difference_bands_of(("a", levels), ("b", levels[:1]), block)[0]
    assert away.hi90 > 20 > 0 >= away.lo90
