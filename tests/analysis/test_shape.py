"""Shape of tumour courses, by hand."""

import math

import polars as pl
import pytest

from mesotrial.analysis import SHAPES, tumour_shape


def test_depth_nadir_and_regrowth_by_hand():
    """Baseline 100 mm; 50 mm at day 42, again at 84, 100 mm two months after the first of them; the second has too few readings."""
    days, sizes = [0.0, 42.0, 84.0, 42.0 + 2 * 30.4375, 0.0, 42.0], [100.0, 50.0, 50.0, 100.0, 80.0, 90.0]
    adtr = pl.DataFrame(
        {
            "USUBJID": ["a"] * 4 + ["b"] * 2,
            "TRT01P": ["one"] * 6,
            "PARAMCD": ["SUMDIAM"] * 6,
            "AVISITN": [0, 1, 2, 3, 0, 1],
            "ADY": days,
            "AVAL": sizes,
            "BASE": [100.0] * 4 + [80.0] * 2,
        }
    )
    found = tumour_shape(adtr, "one")
    assert tuple(found) == SHAPES
    assert found["depth"] == [-0.5] * 5
    assert found["nadir_days"] == [42.0] * 5
    assert found["regrowth_per_month"][2] == pytest.approx(math.log(2) / 2, abs=1e-4)
    assert tumour_shape(adtr, "nobody")["depth"] == []
