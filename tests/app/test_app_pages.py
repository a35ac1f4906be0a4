"""Every page answers, says what it may be used for, and takes its facts from the catalogue."""

from __future__ import annotations

import re

import pytest

from mesotrial.app.listing import listed_trials, registry_link, trials_with
from mesotrial.app.patient import given_as, treatment_names
from mesotrial.app.treatments import FOUNDED, all_treatments, side_effects
from mesotrial.catalogue import entries, load_design, load_drug, statements
from mesotrial.report import CONTEXT_OF_USE
from mesotrial.report.colours import PALETTE, arm_places, treatment_place


@pytest.mark.parametrize(
    "path", ["/", "/treatments", "/statements", "/compare", "/patient", "/trials", "/trials/own", "/runs", "/evidence"]
)
def test_a_page(client, path):
    answer = client.get(path)
    assert answer.status == 200
    assert answer.text.count("<h1") == 1
    assert CONTEXT_OF_USE in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    outside = [link for link in re.findall(r'(?:src|href)="([^"]+)"', answer.text) if link.startswith(("http:", "//"))]
    assert outside == []
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', answer.text)


def test_every_treatment_and_trial_has_a_page(client):
    names = [one.slug for one in all_treatments()]
    assert len(set(names)) == len(names)
    trials = [trial.slug for trial in listed_trials()]
    assert len(set(trials)) == len(trials)
    for path in [f"/treatments/{name}" for name in names] + [f"/trials/{name}" for name in trials]:
        assert client.get(path).status == 200, path


def test_treatments_hold_the_catalogue():
    shown = {one.entry.name for one in all_treatments()}
    assert {entry.name for entry in entries("drug")} <= shown
    founded = {one.entry.name: one.founded for one in all_treatments()}
    assert founded["nivolumab + ipilimumab"] == FOUNDED[0]
    assert founded["platinum-pemetrexed chemotherapy"] == FOUNDED[0]
    assert founded["tremelimumab"] == FOUNDED[1]
    assert founded["imiquimod"] == FOUNDED[3]


def test_filters_of_treatments(client):
    answer = client.get("/treatments", "q=Opdivo")
    assert "nivolumab + ipilimumab" in answer.text
    assert ">cisplatin<" not in answer.text
    lit = client.get("/treatments", "step=prime&kind=drug").text
    assert ">ipilimumab<" in lit
    assert ">cisplatin<" not in lit


def test_a_treatment_page_has_what_was_asked_for(client):
    text = client.get("/treatments/nivolumab-ipilimumab").text
    for words in (
        "How it works",
        "acts here",
        "How it is given",
        "Side effects",
        "Trials",
        "Approvals",
        "2020-10-02",
        "NCT02899299",
        "Sources",
    ):
        assert words in text, words


def test_statements_with_verdict_and_source(client):
    text = client.get("/statements").text
    for item in statements():
        assert f'id="{item.id}"' in text
    contradicted = client.get("/statements", "verdict=contradicted").text
    assert contradicted.count("<tr id=") == sum(item.verdict == "contradicted" for item in statements())


def test_side_effects_follow_the_hazards():
    """Shares are of 100, the severe among all, the commonest first, and a second drug adds."""
    found = side_effects([load_drug("nivolumab")])
    assert found == sorted(found, key=lambda one: -one.any_of_100)
    assert all(0 <= one.severe_of_100 <= one.any_of_100 <= 100 for one in found)
    given = [load_drug("nivolumab"), load_drug("ipilimumab")]
    both = {one.term: one.any_of_100 for one in side_effects(given, most=None)}
    for one in found:
        assert both[one.term] >= one.any_of_100


def test_a_treatment_has_one_colour_everywhere():
    first, second = load_design("maps2"), load_design("confirm")
    places = {
        arm.name: place for arm, place in zip(first.arms, arm_places([arm.drugs for arm in first.arms]), strict=True)
    }
    assert places["nivo"] == treatment_place(["nivolumab"]) == arm_places([arm.drugs for arm in second.arms])[0]
    assert places["nivo+ipi"] == treatment_place(["ipilimumab", "nivolumab"])
    for entry in entries("trial"):
        if entry.runnable:
            arms = [arm.drugs for arm in load_design(entry.key).arms]
            assert len(set(arm_places(arms))) == len(arms) <= PALETTE


def test_trials_are_found_by_drug_and_number(client):
    assert {"maps2", "checkmate743"} <= {trial.slug for trial in trials_with(["nivolumab", "ipilimumab"])}
    assert "confirm" not in {trial.slug for trial in trials_with(["nivolumab", "ipilimumab"])}
    assert "MAPS2" in client.get("/trials", "q=NCT02716272").text
    assert registry_link("NCT02716272") == "https://clinicaltrials.gov/study/NCT02716272"
    assert registry_link("") == ""


def test_a_trial_page_says_what_comes_before_randomisation(client):
    assert "18 weeks before randomisation" in client.get("/trials/denim").text
    assert "Before randomisation" not in client.get("/trials/maps2").text


def test_only_own_static_files(client):
    assert client.get("/static/app.js").status == 200
    for name in ("app.py", "../app.py", "%2e%2e/app.py", "page.html.j2", ""):
        assert client.get(f"/static/{name}").status == 404


def test_what_nobody_knows_is_said(client):
    """An exploratory drug says so on its page; inside one patient it has a slider for how much of it works in people, and within its bounds only."""
    assert "shown as not known" in client.get("/treatments/lenalidomide").text
    assert "shown as not known" not in client.get("/treatments/pd-1-inhibitor").text
    text = client.get("/patient", "treatment=lenalidomide").text
    assert (
        'data-slider="translation_imid"' in text
        and "The evidence on lenalidomide: no human evidence in mesothelioma" in text
    )
    assert "shorter survival with surgery (MARS 2)" in client.get("/patient", "treatment=surgery").text
    assert client.get("/patient", "treatment=lenalidomide&translation_imid=1.5").status == 400
    assert "translation_" not in client.get("/patient", "treatment=nivolumab").text


def test_what_can_be_compared_is_offered_by_the_name_that_the_lists_have():
    for one in all_treatments():
        assert given_as(one.entry) in ("", *treatment_names())


def test_colours_and_steps_of_new_kinds_of_treatment():
    assert treatment_place(["placebo"]) != treatment_place(["surgery"]) == treatment_place(["mesothelin CAR-T"])
    assert treatment_place(["ipilimumab"]) == treatment_place(["tremelimumab"])
    for one in all_treatments():
        if any(drug.pk for drug in one.drugs):
            assert one.steps, one.slug
