"""The population's parameters: how the model's inputs differ between patients, and the read-outs of the clinic.

The numbers are data (``data/*.yaml``), each with unit and status; this module reads them and lets calibration replace them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Literal

__all__ = ["Distribution", "ParameterSet", "load_parameters"]


@dataclass(frozen=True)
class Distribution:
    """A model input that differs between patients.

    ``scale`` log: log-normal, `sd` of the log, `factors` multiply the median for groups (``relapsed``, ``non_epithelioid``). ``scale`` logit: a share
    between 0 and 1, `sd` and `factors` (as odds ratios) on the logit.
    """

    unit: str
    scale: Literal["log", "logit"]
    median: float
    sd: float
    factors: Mapping[str, float]
    status: str
    source: str


@dataclass(frozen=True)
class ParameterSet:
    """A whole population: distributions, correlations of latent normal scores, and read-out constants by name."""

    version: str
    distributions: Mapping[str, Distribution]
    correlations: Mapping[tuple[str, str], float]
    readout: Mapping[str, float]
    readout_status: Mapping[str, str]

    def replaced(self, changes: Mapping[str, float]) -> ParameterSet:
        """Return a copy with numbers replaced by dotted path.

        Paths: ``growth_rate.median``, ``growth_rate.sd``, ``growth_rate.factors.relapsed``, ``readout.death_per_day``,
        ``correlations.a.b``. Raises `KeyError` for a path that names nothing.
        """
        distributions, correlations, readout = dict(self.distributions), dict(self.correlations), dict(self.readout)
        for path, value in changes.items():
            match path.split("."):
                case ["readout", name] if name in readout:
                    readout[name] = value
                case ["correlations", first, second] if (first, second) in correlations:
                    correlations[first, second] = value
                case [name, "median"] if name in distributions:
                    distributions[name] = replace(distributions[name], median=value)
                case [name, "sd"] if name in distributions:
                    distributions[name] = replace(distributions[name], sd=value)
                case [name, "factors", group] if name in distributions:
                    old = distributions[name]
                    distributions[name] = replace(old, factors={**old.factors, group: value})
                case _:
                    raise KeyError(f"no parameter at {path!r}")
        return replace(self, distributions=distributions, correlations=correlations, readout=readout)

    def typical(self) -> ParameterSet:
        """Return the same population without spread between patients: everyone has the median parameters of his or her group."""
        same = {name: replace(one, sd=0.0) for name, one in self.distributions.items()}
        return replace(self, version=f"{self.version}, typical patients", distributions=same)


@lru_cache
def load_parameters(population: Literal["fitted", "typical"] = "fitted") -> ParameterSet:
    """Read the parameters shipped with the package: ``fitted``, or ``typical`` (the same medians, no spread)."""
    from ruamel.yaml import YAML

    data = YAML(typ="safe").load((files("mesotrial.population") / "data" / "fitted.yaml").read_text(encoding="utf-8"))
    fitted = ParameterSet(
        version=data["version"],
        distributions={
            name: Distribution(
                one["unit"],
                one.get("scale", "log"),
                one["median"],
                one.get("sd", 0.0),
                one.get("factors", {}),
                one["status"],
                one.get("source", ""),
            )
            for name, one in data["parameters"].items()
        },
        correlations={(one["between"][0], one["between"][1]): one["value"] for one in data["correlations"]},
        readout={name: one["value"] for name, one in data["readout"].items()},
        readout_status={name: one["status"] for name, one in data["readout"].items()},
    )
    return fitted.typical() if population == "typical" else fitted
