"""What a calibration is fitted to: published rows of role calibration, landmarks of digitised curves, and their errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mesotrial.analysis import Endpoint, calibration_targets, codes, kaplan_meier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.catalogue import Arm, Design

__all__ = ["DESIGNS", "Target", "load_targets", "refuse_validation", "variances"]

DESIGNS = ("checkmate743", "confirm", "determine", "emphacis", "maps", "ms01", "javelin", "ind227", "rames")
_FAMILIES = frozenset(
    (
        "ORR",
        "DCR",
        "PD_BEST",
        "PFS_MEDIAN",
        "PFS_RATE",
        "TTP_MEDIAN",
        "OS_MEDIAN",
        "OS_RATE",
        "DOR_MEDIAN",
        "DOR_RATE",
        "TTR_MEDIAN",
    )
)
_SUBGROUPS = frozenset(("all", "epithelioid", "non_epithelioid"))
_LANDMARKS_MONTHS = (6.0, 12.0, 24.0, 36.0)
_NO_IMMUNOTHERAPY = frozenset(("cytotoxic", "vascular"))


@dataclass(frozen=True)
class Target:
    """One published number: where it is (design and endpoint), its value and SD on the scoring scale, the patients behind it.

    `basis`: no drug of the arm acts on the immune system.
    """

    design: str
    endpoint: Endpoint
    value: float
    sd: float
    n: float | None
    source: str
    basis: bool = False


def load_targets(designs: Sequence[str] = DESIGNS) -> tuple[Target, ...]:
    """Return the targets of `designs`: those of their arms, whole or by histology; response, progression and survival.

    The SD joins the published standard error and the spread between trials of one treatment (tau of the score). Raises `RefusedTargetError` for a design
    whose trial is kept for validation.
    """
    from mesotrial.catalogue import load_design

    found: list[Target] = []
    for name in designs:
        design = load_design(name)
        found += _rows(name, design) + _landmarks(name, design)
    return tuple(found)


def _rows(name: str, design: Design) -> list[Target]:
    basis = {arm.name: _is_basis(arm) for arm in design.arms}
    found = []
    for row in calibration_targets(design.evidence_trial):
        if row.code not in _FAMILIES or row.comparator or row.arm not in basis or row.subgroup_code not in _SUBGROUPS:
            continue
        assert row.value is not None and row.se is not None
        value = row.value / 100 if codes.is_rate(row.code) else row.value
        endpoint = Endpoint(row.code, row.arm, None, row.subgroup_code, row.time_months)
        found.append(
            Target(
                name,
                endpoint,
                codes.on_scale(row.code, value, row.n_used),
                math.hypot(row.se, codes.tau(row.code)),
                row.n_used,
                f"row {row.row}, {row.source}",
                basis[row.arm],
            )
        )
    return found


def _landmarks(name: str, design: Design) -> list[Target]:
    """Return Kaplan-Meier landmarks of a trial's digitised curves, with Greenwood's error."""
    from mesotrial.catalogue import digitised_curves

    found = []
    for parameter in ("OS", "PFS"):
        code = f"{parameter}_RATE"
        for arm, curve in digitised_curves(design.evidence_trial, parameter).items():
            fitted = kaplan_meier(curve.months, curve.event, level=0.6827)  # one standard error either side
            for landmark in _LANDMARKS_MONTHS:
                rate, low, high = fitted.at(landmark)
                if not 0 < low < high < 1:
                    continue
                se = (codes.on_scale(code, high) - codes.on_scale(code, low)) / 2
                endpoint = Endpoint(code, arm, None, "all", landmark)
                sd = math.hypot(se, codes.tau(code))
                value, source = codes.on_scale(code, rate), f"{curve.file}, digitised curve"
                found.append(Target(name, endpoint, value, sd, len(curve.months), source, basis=True))
    return found


def _is_basis(arm: Arm) -> bool:
    from mesotrial.catalogue import load_drug

    return {effect.on for name in arm.drugs for effect in load_drug(name).effects} <= _NO_IMMUNOTHERAPY


def refuse_validation(targets: Sequence[Target]) -> None:
    """Raise `RefusedTargetError` if a target's trial has no result that may be fitted: a last check, wherever the targets came from."""
    from mesotrial.catalogue import load_design

    for name in dict.fromkeys(target.design for target in targets):
        calibration_targets(load_design(name).evidence_trial)


def variances(targets: Sequence[Target], basis_weight: float = 1.0) -> NDArray[np.float64]:
    """Return the variances of the targets' errors, shape (n_targets,); arms without immunotherapy, on which everything else rests, count `basis_weight` times.

    Errors are taken as independent, as in the score. Those of one arm share patients, but correlations make a fit follow the shape of a curve at the price of
    its level, where the model cannot have both.
    """
    weight = np.array([basis_weight if one.basis else 1.0 for one in targets])
    found: NDArray[np.float64] = np.array([one.sd for one in targets]) ** 2 / weight
    return found
