"""Patients through one treatment: what the visit loop is given, for an arm as for what comes before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesotrial.trial.conduct import Clinic, Course, conduct
from mesotrial.trial.toxicity import Term, Toxicities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mesotrial.catalogue import Design
    from mesotrial.engine import State
    from mesotrial.population import Cohort
    from mesotrial.trial.model import Model
    from mesotrial.trial.plan import ArmPlan
    from mesotrial.trial.scanning import ScanPlan

__all__ = ["treat"]


def treat(
    design: Design,
    model: Model,
    cohort: Cohort,
    state: State,
    plan: ArmPlan,
    scan_plan: ScanPlan,
    *,
    cut_day: NDArray[np.float64],
    lost_day: NDArray[np.float64],
    traced: int = 0,
    before: Course | None = None,
) -> Course:
    """Take patients, from `state`, through the treatment of `plan`; the first `traced` are followed over time. See `conduct`."""
    from mesotrial.catalogue import TOXICITY_FRAILTY_SD, background_toxicity

    terms = [Term("", one) for one in background_toxicity()]
    given = {regimen.drug for regimen in plan.regimens}
    terms += [Term(drug.name, one) for drug in model.drugs if drug.name in given for one in drug.toxicity]
    return conduct(
        model.simulator,
        state,
        cohort,
        plan,
        scan_plan,
        Toxicities(terms, cohort, TOXICITY_FRAILTY_SD),
        Clinic(
            design.scans,
            model.assembly.enters,
            dict(model.concentrations),
            {drug.name: drug for drug in model.drugs},
            traced,
            blunts=plan.arm.stop_rules.steroid_blunting > 0,
        ),
        cut_day=cut_day,
        lost_day=lost_day,
        before=before,
    )
