from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from synthetic_design import MAPS2

from mesotrial.catalogue import parse_regimen
from mesotrial.catalogue.design import Alternative
from mesotrial.report import words
from mesotrial.report.marks import interval_mark
from mesotrial.report.response_figures import arm_scans, evenly
from mesotrial.report.survival_figure import landmarks
from mesotrial.report.svg import drawing, figure, inline_svg, plain_axes
from mesotrial.report.timeline_figure import timeline_figure

NO_BREAK = "\N{NO-BREAK SPACE}"


def _row(code: str, **given: Any) -> dict[str, Any]:
    blank = dict.fromkeys(
        ("simulated", "lo90", "hi90", "published", "published_lo", "published_hi", "time_months", "label")
    )
    return blank | {"code": code, "arm": "nivo", "subgroup": "all", "scored": "yes"} | given


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (_row("OS_RATE", time_months=12.0), "Alive after 12 months"),
        (_row("DCR_AT", time_months=2.76), "Disease control after 12 weeks"),
        (_row("DOR_RATE", time_months=36.0), "Still in response 36 months after it began"),
        (_row("AE_INFUSION_RELATED_REACTION_ANY"), "Infusion related reaction, any grade"),
        (_row("AE_COLITIS_G34"), "Colitis, grade 3 or worse"),
        (_row("OTHER", label="hyperprogression"), "hyperprogression"),
        (_row("SOMETHING"), "SOMETHING"),
    ],
)
def test_names_of_endpoints(row: dict[str, Any], name: str) -> None:
    assert words.endpoint_name(row).replace(NO_BREAK, " ") == name


def test_numbers_in_words() -> None:
    def plain(text: str) -> str:
        return text.replace(NO_BREAK, " ")

    assert plain(words.percent(0.185)) == "18.5 %"
    assert plain(words.percent(0.185, rounded=True)) == "18 %"
    assert plain(words.percent(0.014, rounded=True)) == "1.4 %"
    assert plain(words.percent(1.0)) == "100 %"
    assert words.percent(None) == "–"
    assert plain(words.value("OS_MEDIAN", 11.94)) == "11.9 months"
    assert words.value("OS_HR", 0.733) == "0.73"
    assert words.interval("OS_MEDIAN", 6.7, None) == "6.7 to not reached"
    assert words.interval("ORR", None, None) == ""
    assert words.interval("ORR", 0.0, 0.204, rounded=True) == "0 to 20"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.listed([]) == ""
    assert words.subgroup_name("non_epithelioid") == "non-epithelioid"
    assert words.subgroup_name("stage_le3") == "stage le3"


def test_places_on_the_interval_mark() -> None:
    mark = ElementTree.fromstring(
        interval_mark(_row("ORR", simulated=0.5, lo90=0.0, hi90=1.0, published=0.25), 20.0, "arm-0")
    )
    dot = next(element for element in mark if element.tag == "circle")
    assert float(dot.get("cx", "0")) == 66.0
    band = next(element for element in mark if element.get("class") == "band")
    assert (band.get("x1"), band.get("x2")) == ("6.0", "126.0")
    ratio = ElementTree.fromstring(interval_mark(_row("OS_HR", simulated=1.0, lo90=0.1), 20.0, "arm-0"))
    assert next(element for element in ratio if element.tag == "circle").get("cx") == "66.0"
    assert next(element for element in ratio if element.get("class") == "band").get("x2") == "132.0"  # no upper end


def test_an_even_subsample_keeps_both_ends() -> None:
    assert evenly(5, 10).tolist() == [0, 1, 2, 3, 4]
    shown = evenly(2000, 150)
    assert (shown[0], shown[-1], shown.size) == (0, 1999, 150)
    assert evenly(0, 10).size == 0


def test_scans_of_an_arm(tables: Mapping[str, pl.DataFrame]) -> None:
    scans = arm_scans(tables, "nivo")
    assert np.all(np.diff(scans.best) <= 0)
    assert sum(scans.counts.values()) == 63
    assert scans.unscanned + scans.best.size == 63
    for days, changes, best in zip(scans.days, scans.changes, scans.best, strict=True):
        assert (days[0], changes[0]) == (0.0, 0.0)
        assert np.all(np.diff(days) > 0)
        assert changes[1:].min() == best


def test_published_landmarks_are_the_scored_rows_of_everybody() -> None:
    rows = [
        _row("OS_RATE", time_months=12.0, published=0.49, published_lo=0.36, published_hi=0.61),
        _row("OS_MEDIAN", published=11.9),
        _row("OS_MEDIAN", published=9.0, subgroup="epithelioid"),
        _row("OS_RATE", time_months=24.0, published=0.2, scored="no"),
        _row("PFS_MEDIAN", published=4.0),
    ]
    rate, median = landmarks(rows, "OS")
    assert (rate.months, rate.survival, rate.lower, rate.across) == (12.0, 0.49, 0.36, False)
    assert (median.months, median.survival, median.across) == (11.9, 0.5, True)


def test_alternatives_in_the_timeline() -> None:
    from dataclasses import replace

    choice = (
        Alternative(0.4, (parse_regimen("cisplatin 75 mg/m2 IV q3w x 6"),)),
        Alternative(0.6, (parse_regimen("carboplatin AUC5 IV q3w x 6"),)),
    )
    arm = replace(MAPS2.arms[0], one_of=choice, regimens=(parse_regimen("pemetrexed 500 mg/m2 IV q3w x 6"),))
    design = replace(MAPS2, arms=(arm,), scans=replace(MAPS2.scans, every_weeks="6 to 52w then 12"))
    with drawing():
        text = timeline_figure(design)
    assert "60 % get carboplatin AUC5 IV q3w x 6" in text
    assert "Scans every 6 weeks to week 52, then every 12" in text


def test_svg_is_small_labelled_and_themed() -> None:
    with drawing():
        drawn = figure(100.0)
        plain_axes(drawn, 40, 20, 10, 10).plot([0, 1], [0, 1 / 3])
        text = inline_svg(drawn, "it", 'Say "<hello>"')
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == 'Say "<hello>"'
    assert root.get("viewBox") == "0 0 384 100"
    assert "metadata" not in text
    assert "<style" not in text
    assert "DejaVu" not in text
    assert all(element.get("id", "it-").startswith("it-") for element in root.iter())
    assert "var(--ink)" in text
