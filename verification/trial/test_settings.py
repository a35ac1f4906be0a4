"""Settings of a design that reach the model: steroids that blunt the effect, and constants at another value."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from mesotrial.catalogue import Design, load_design
from mesotrial.engine import ModelError
from mesotrial.trial import build_model, simulate_trial

_PATIENTS = 150


def pair(blunting: float = 0.0, **biology: float) -> Design:
    """MAPS2's arm of two antibodies, alone."""
    design = load_design("maps2")
    arm = design.arms[1]
    rules = replace(arm.stop_rules, steroid_blunting=blunting, steroid_grade=2)
    randomisation = replace(design.randomisation, ratio=(1,), strata=(), block=1)
    return replace(design, arms=(replace(arm, stop_rules=rules),), randomisation=randomisation, biology=biology)


def volumes(design: Design) -> tuple[pl.DataFrame, set[str]]:
    """Tumour volumes at scans, and who ever had steroids."""
    tables = simulate_trial(design, patients_per_arm=_PATIENTS, seed=4).tables
    on_steroids = tables["adae"].filter(pl.col("CORTFL") == "Y")
    return tables["adtr"].select("USUBJID", "AVISITN", "TUMVOL"), set(on_steroids["USUBJID"].to_list())


def test_steroids_blunt_the_effect_on_the_tumour_where_a_design_says_so() -> None:
    hardly, treated = volumes(pair(blunting=1e-9))
    fully, treated_too = volumes(pair(blunting=1.0))
    both = hardly.join(fully, on=["USUBJID", "AVISITN"], suffix="_fully").filter(pl.col("AVISITN").is_between(1, 3))
    ratio = (both["TUMVOL_fully"] / both["TUMVOL"]).to_numpy()
    had = both["USUBJID"].is_in([*treated, *treated_too]).to_numpy()
    assert len(treated) > 10
    # Fewer T cells select fewer escaped cells too, so that a few tumours are smaller later on; the mean says which way it goes.
    assert ratio[had].max() > 1.02 and np.log(ratio[had]).mean() > 0.002
    np.testing.assert_allclose(ratio[~had], 1.0, rtol=1e-6)
    assert "steroids" not in build_model(pair(), _sets()).simulator.states  # not set: no state of it


def test_depletion_of_regulatory_cells_can_be_counted_apart() -> None:
    """IgG1 against CTLA-4 (ipilimumab) depletes them; what that is worth is inside the fitted effect unless a design counts it apart."""
    assert "regulatory_depleted" not in build_model(pair(), _sets()).simulator.states
    without, _ = volumes(pair(regulatory_depletion_effect=1e-9))
    counted, _ = volumes(pair(regulatory_depletion_effect=1.0))
    both = without.join(counted, on=["USUBJID", "AVISITN"], suffix="_counted").filter(pl.col("AVISITN") > 0)
    ratio = (both["TUMVOL_counted"] / both["TUMVOL"]).to_numpy()
    # Later on more killing also selects more of the clone that escapes, so that a tumour may end a trace larger.
    assert (
        ratio[(both["AVISITN"] <= 2).to_numpy()].max() < 1.001 and ratio.max() < 1.01 and np.log(ratio).mean() < -0.002
    )


def test_a_constant_that_the_model_has_not_is_named() -> None:
    with pytest.raises(ModelError, match="regulatory_depletion_efect"):
        build_model(pair(regulatory_depletion_efect=1.0), _sets())


def _sets() -> list:
    from mesotrial.population import load_parameters

    return [load_parameters()]
