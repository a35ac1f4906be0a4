"""Fit the population to published calibration results, and say how sure the fit is.

The only room that changes parameters. Its targets come from `mesotrial.analysis.calibration_targets`, which refuses every row that is kept for validation.
"""

from mesotrial.calibration.fit import Calibration, calibrate
from mesotrial.calibration.free import Free, load_free
from mesotrial.calibration.targets import Target, load_targets

__all__ = ["Calibration", "Free", "Target", "calibrate", "load_free", "load_targets"]
