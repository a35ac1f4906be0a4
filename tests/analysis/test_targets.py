"""What may be fitted: calibration rows, and never anything else."""

import pytest
from synthetic_design import published_row

from mesotrial.analysis import RefusedTargetError, calibration_targets, refuse_unfit
from mesotrial.catalogue import UnknownNameError, published_results

TRIALS = sorted({row.trial for row in published_results()})
USABLE = {"value": 20.0, "se": 0.3, "role": "calibration"}


@pytest.mark.parametrize("trial", TRIALS)
def test_no_row_but_calibration_ever_comes_through(trial: str) -> None:
    try:
        targets = calibration_targets(trial)
    except RefusedTargetError:
        assert not published_results(trial, roles=("calibration",))
        return
    assert {row.role for row in targets} <= {"calibration"}
    assert all(row.scored and row.se and row.value is not None for row in targets)
    assert not {row.confidence for row in targets} & {"recalled-low", "recalled-low-medium"}


def test_a_validation_trial_is_refused_by_any_of_its_names() -> None:
    for name in ("maps2", "MAPS2 (IFCT-1501)", "NCT02716272", "BEAT-meso (ETOP 13-18)", "PROMISE-meso (ETOP 9-15)"):
        with pytest.raises(RefusedTargetError, match="may be fitted: its results have the role .*validation"):
            calibration_targets(name)


def test_calibration_trials_have_targets() -> None:
    assert len(calibration_targets("checkmate743")) > 40
    assert len(calibration_targets("confirm")) > 20
    with pytest.raises(UnknownNameError):
        calibration_targets("no such trial")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"role": "validation"}, "its role is validation"),
        ({"role": "context"}, "its role is context"),
        ({"scored": False, "why_not": "superseded"}, "not scored .superseded."),
        ({"confidence": "recalled-low"}, "its confidence is recalled-low"),
        ({"se": None}, "no standard error"),
        ({"value": None}, "no number"),
    ],
)
def test_rows_handed_over_are_checked_one_by_one(change: dict[str, object], why: str) -> None:
    good = published_row("nivo", "ORR", **USABLE)
    refuse_unfit([good])
    with pytest.raises(RefusedTargetError, match=why):
        refuse_unfit([good, published_row("nivo", "ORR", **{**USABLE, **change})])
