"""People like a person are drawn from the population and kept where they fit."""

import tracemalloc

import numpy as np
import pytest

from mesotrial.catalogue import load_design
from mesotrial.comparison import check_comparison, person_from_text
from mesotrial.comparison.people import SIZE_NEAR, people_like
from mesotrial.population import load_ensemble
from mesotrial.run import RequestError
from mesotrial.trial.recist import measured_sum_mm
from mesotrial.trial.scanning import geometry_of


def _drawn(text: str, wanted: int = 200):
    population = load_design("checkmate743").population
    return people_like(person_from_text(text), population, load_ensemble(), (), seed=1, wanted=wanted)


def test_a_tumour_of_the_size_said() -> None:
    """Everyone measures that size within a tenth; volumes differ, for the same volume lies in rinds and in lumps; who is drawn first stays first."""
    cohort, strange = _drawn("tumour 80 mm, ECOG 1, first line")
    sizes = measured_sum_mm(cohort.inputs["initial_volume"], geometry_of(cohort), np.zeros(len(cohort)))
    assert len(cohort) == 200 and strange == ()
    assert np.all(np.abs(np.log(sizes / 80.0)) <= np.log1p(SIZE_NEAR))
    assert np.all(cohort.covariates["ecog_ge1"] == 1.0)
    assert cohort.inputs["initial_volume"].std() > 10.0
    more, _ = _drawn("tumour 80 mm, ECOG 1, first line", wanted=300)
    assert list(more.numbers[:200]) == list(cohort.numbers)


def test_larger_tumours_come_with_what_goes_with_them() -> None:
    """Albumin falls with the burden of tumour, as the population has it."""
    small, _ = _drawn("tumour 40 mm, first line")
    large, _ = _drawn("tumour 160 mm, first line")
    assert large.covariates["albumin_g_per_l"].mean() < small.covariates["albumin_g_per_l"].mean()
    assert large.inputs["initial_volume"].mean() > 2 * small.inputs["initial_volume"].mean()


def test_unusual_sizes_are_marked_and_impossible_ones_refused() -> None:
    _, strange = _drawn("tumour 250 mm, first line")
    assert "unusual" in strange[0] and "250 mm" in strange[0]
    with pytest.raises(RequestError, match="hardly anyone"):
        _drawn("tumour 480 mm, ECOG 0, first line")
    with pytest.raises(RequestError, match="hardly anyone"):
        check_comparison("nivolumab", "placebo", patient="tumour 480 mm, ECOG 0, relapsed", people=200)
    check_comparison("nivolumab", "placebo", patient="tumour 90 mm, ECOG 0, relapsed", people=200)


def test_it_takes_little_memory_whatever_is_asked_for() -> None:
    """Candidates come in blocks, and a sample of them decides; the same numbers are checked and drawn."""
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match="hardly anyone"):
            check_comparison("nivolumab", "placebo", patient="tumour 480 mm, ECOG 0, relapsed", people=2000)
        cohort, _ = _drawn(
            "tumour 150 mm, ECOG 0, first line", wanted=1000
        )  # one in some dozens fits: beyond the sample
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
    assert cohort.numbers[-1] > 20_000
    assert list(cohort.numbers) == sorted(set(cohort.numbers))


def test_more_people_than_can_be_looked_for_are_refused() -> None:
    with pytest.raises(RequestError, match="more than 5,000,000 draws"):
        check_comparison("nivolumab", "placebo", patient="tumour 150 mm, ECOG 0, first line", people=100_000)
