"""The quantities that a calibration moves, and their priors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mesotrial.population import ParameterSet

__all__ = ["Free", "load_free", "parameter_sets"]

Scale = Literal["log", "logit", "linear", "tanh"]


@dataclass(frozen=True)
class Free:
    """A quantity that is fitted: its dotted path (`ParameterSet.replaced`), and its prior, normal on `scale`."""

    path: str
    scale: Scale
    centre: float
    sd: float

    def to_scale(self, value: float) -> float:
        """Return a value in SDs of the prior from its centre."""
        return (_up(self.scale, value) - _up(self.scale, self.centre)) / self.sd

    def from_scale(self, score: float) -> float:
        """Return the value that lies `score` SDs of the prior from its centre."""
        return _down(self.scale, _up(self.scale, self.centre) + self.sd * score)


def _up(scale: Scale, value: float) -> float:
    match scale:
        case "log":
            return math.log(value)
        case "logit":
            return math.log(value / (1.0 - value))
        case "tanh":
            return math.atanh(value)
    return value


def _down(scale: Scale, value: float) -> float:
    match scale:
        case "log":
            return math.exp(value)
        case "logit":
            return 1.0 / (1.0 + math.exp(-value))
        case "tanh":
            return math.tanh(value)
    return value


def load_free() -> tuple[Free, ...]:
    """Read the priors shipped with the package (``free.yaml``)."""
    from ruamel.yaml import YAML

    data = YAML(typ="safe").load((files("mesotrial.calibration") / "free.yaml").read_text(encoding="utf-8"))
    return tuple(Free(one["path"], one["scale"], one["centre"], one["sd"]) for one in data["parameters"])


def parameter_sets(base: ParameterSet, free: Sequence[Free], scores: NDArray[np.float64]) -> tuple[ParameterSet, ...]:
    """Return `base` with the free quantities at `scores`, shape (n_sets, n_free), in SDs of the priors."""
    return tuple(
        base.replaced({one.path: one.from_scale(float(score)) for one, score in zip(free, row, strict=True)})
        for row in scores
    )
