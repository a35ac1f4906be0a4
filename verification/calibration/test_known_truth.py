"""The whole calibration, smoother and linearisation, on made-up data of known truth."""

from dataclasses import replace

import numpy as np

from mesotrial.calibration import calibrate, load_free, load_targets
from mesotrial.calibration.forward import Forward

TRUTH = {
    "growth_rate.median": 0.8,
    "readout.death_per_day": -0.8,
    "growth_rate.sd": 0.5,
}  # SDs of the prior from its centre


def test_a_truth_is_found_again(tmp_path):
    """Results of CONFIRM's arms and MS01's, simulated at a truth beside the priors' centre with patients of their own, lead back to it."""
    free = tuple(one for one in load_free() if one.path in TRUTH)
    truth = np.array([TRUTH[one.path] for one in free])
    published = load_targets(("confirm", "ms01"))
    made_up = Forward(free, published)(truth[None, :], 2000, seed=777)
    targets = tuple(
        replace(one, value=float(value)) for one, value in zip(published, made_up, strict=True) if np.isfinite(value)
    )
    found = calibrate(
        tmp_path, members=30, draws=50, patients_per_arm=200, processes=2, free=free, targets=targets
    ).posterior
    middle, spread = found.mean(axis=0), found.std(axis=0)
    assert (np.abs(middle - truth) < 3 * spread).all(), (middle, truth, spread)
    assert (np.abs(middle - truth) < 0.6).all()
    told = dict(zip([one.path for one in free], spread, strict=True))  # an SD of the prior is 1
    assert told["growth_rate.median"] < 0.7 and told["readout.death_per_day"] < 0.7, told
