"""One patient from the inside: the course answers to treatment, stopping and biology, and quickly."""

from __future__ import annotations

import time

import pytest

from mesotrial.app.inside import Case, medians, sensitivity, simulate_case
from mesotrial.app.patient import treatment_names
from mesotrial.catalogue import CatalogueError

_TREATED = Case("nivolumab + ipilimumab", values={"priming_strength": 2000.0, "escape_fraction": 0.3})


@pytest.fixture(scope="module")
def treated():
    return simulate_case(_TREATED)


def test_untreated_tumours_grow():
    found = simulate_case(Case(""))
    volume = found["series"]["tumour_volume"]
    assert volume[-1] > volume[0]
    assert found["doses"] == []
    assert found["scans"][0]["code"] == "BL"


def test_a_response_is_read_from_the_scans(treated):
    volume = treated["series"]["tumour_volume"]
    assert min(volume) < 0.5 * volume[0]
    assert "PR" in {scan["code"] for scan in treated["scans"]}
    assert all(scan["day"] % 42 == 0 for scan in treated["scans"])
    assert {dose["drug"] for dose in treated["doses"]} == {"nivolumab", "ipilimumab"}


def test_stopping_the_drug_ends_its_level_and_its_doses(treated):
    from dataclasses import replace

    stopped = simulate_case(replace(_TREATED, stop_month=6.0))
    assert stopped["levels"]["nivolumab"][-1] < 0.01 * max(stopped["levels"]["nivolumab"])
    assert max(stopped["doses"][0]["days"]) < 6 * 30.4375 <= max(treated["doses"][0]["days"])
    assert stopped["series"]["inhibition"][-1] > treated["series"]["inhibition"][150]


def test_dose_and_interval_scale_the_level(treated):
    from dataclasses import replace

    double = simulate_case(replace(_TREATED, dose=2.0))
    assert double["levels"]["nivolumab"][1] == pytest.approx(2 * treated["levels"]["nivolumab"][1], rel=2e-3)
    assert len(simulate_case(replace(_TREATED, interval=2.0))["doses"][0]["days"]) == pytest.approx(
        len(treated["doses"][0]["days"]) / 2, abs=1
    )


def test_a_change_takes_well_under_200_ms(treated):
    from dataclasses import replace

    simulate_case(_TREATED)
    began = time.process_time()
    for i in range(10):
        simulate_case(replace(_TREATED, dose=1.0 + 0.1 * i))
    assert (time.process_time() - began) / 10 < 0.1


def test_sensitivity_names_every_input_once():
    found = sensitivity(Case("nivolumab + ipilimumab"))
    assert {one["name"] for one in found} == set(medians("first", "epithelioid"))
    by_name = {one["name"]: one for one in found}
    assert by_name["priming_strength"]["up"] < 0 < by_name["priming_strength"]["down"]
    assert by_name["growth_rate"]["down"] < 0 < by_name["growth_rate"]["up"]


def test_what_is_not_a_treatment():
    with pytest.raises(CatalogueError):
        simulate_case(Case("no such drug"))
    assert "nivolumab + ipilimumab" in treatment_names()
    assert len(set(treatment_names())) == len(treatment_names())
