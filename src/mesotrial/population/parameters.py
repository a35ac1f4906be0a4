"""The population's parameters: how the model's inputs differ between patients, and the read-outs of the clinic.

The numbers are data (``data/*.yaml``), each with unit and status; this module reads them and lets calibration replace them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "RUN_DRAWS",
    "Distribution",
    "LatentClass",
    "ParameterSet",
    "load_ensemble",
    "load_parameters",
    "load_posterior",
    "locate",
]

_SHIPPED = files("mesotrial.population") / "data"
RUN_DRAWS = 25  # posterior draws that share the patients of a run: enough to see how far apart they are, few enough for each to have patients


@dataclass(frozen=True)
class Distribution:
    """A model input that differs between patients.

    ``scale`` log: log-normal, `sd` of the log, `factors` multiply the median for groups (``relapsed``, ``non_epithelioid`` and the latent classes of
    `ParameterSet.classes`). ``scale`` logit: a share between 0 and 1, `sd` and `factors` (as odds ratios) on the logit.
    """

    unit: str
    scale: Literal["log", "logit"]
    median: float
    sd: float
    factors: Mapping[str, float]
    status: str
    source: str


@dataclass(frozen=True)
class LatentClass:
    """A class of patients that nobody can see: its share, and the odds of it in groups (``relapsed``, ``non_epithelioid``) relative to the others."""

    share: float
    factors: Mapping[str, float]
    status: str
    source: str


@dataclass(frozen=True)
class ParameterSet:
    """A whole population: distributions, latent classes of patients, correlations of latent normal scores, and read-out constants."""

    version: str
    distributions: Mapping[str, Distribution]
    classes: Mapping[str, LatentClass]
    correlations: Mapping[tuple[str, str], float]
    readout: Mapping[str, float]
    readout_status: Mapping[str, str]

    def replaced(self, changes: Mapping[str, float]) -> ParameterSet:
        """Return a copy with numbers replaced by dotted path.

        Paths: ``growth_rate.median``, ``growth_rate.sd``, ``growth_rate.factors.relapsed``, ``classes.indolent.share``,
        ``classes.indolent.relapsed``, ``readout.death_per_day``, ``correlations.a.b``. Raises `KeyError` for a path that names nothing.
        """
        found = self
        for path, value in changes.items():
            found = _with(found, path, locate(path), value)
        return found

    def at(self, path: str) -> float:
        """Return the number at a dotted path, as in `replaced`; KeyError for a path that names nothing."""
        found: Any = self
        for key in locate(path):
            found = _part(found, path, key)
        return float(found)

    def typical(self) -> ParameterSet:
        """Return the same population without spread between patients: everyone has the median parameters of his or her group."""
        same = {name: replace(one, sd=0.0) for name, one in self.distributions.items()}
        nobody = {name: replace(one, share=0.0) for name, one in self.classes.items()}
        return replace(self, version=f"{self.version}, typical patients", distributions=same, classes=nobody)


def locate(path: str) -> tuple[str | tuple[str, str], ...]:
    """Return where the number at a dotted path (`ParameterSet.replaced`) is: the attribute of the set, the key in it, and so on inwards."""
    match path.split("."):
        case ["readout", name]:
            return "readout", name
        case ["correlations", first, second]:
            return "correlations", (first, second)
        case ["classes", name, "share"]:
            return "classes", name, "share"
        case ["classes", name, group]:
            return "classes", name, "factors", group
        case [name, "factors", group]:
            return "distributions", name, "factors", group
        case [name, "median" | "sd" as field]:
            return "distributions", name, field
    raise KeyError(f"no parameter at {path!r}")


def _part(whole: Any, path: str, key: Any) -> Any:
    if not isinstance(whole, Mapping):
        return getattr(whole, key)
    if key not in whole:
        raise KeyError(f"no parameter at {path!r}")
    return whole[key]


def _with(whole: Any, path: str, keys: Sequence[Any], value: float) -> Any:
    """Return a copy of `whole` in which the number at `keys` is `value`."""
    if not keys:
        return value
    inner = _with(_part(whole, path, keys[0]), path, keys[1:], value)
    return {**whole, keys[0]: inner} if isinstance(whole, Mapping) else replace(whole, **{keys[0]: inner})


@lru_cache
def load_parameters(population: Literal["fitted", "typical"] = "fitted") -> ParameterSet:
    """Read the parameters shipped with the package: ``fitted``, or ``typical`` (the same medians, no spread)."""
    fitted = _read_parameters(_SHIPPED)
    return fitted.typical() if population == "typical" else fitted


def _read_parameters(folder: Traversable) -> ParameterSet:
    from ruamel.yaml import YAML

    data = YAML(typ="safe").load((folder / "fitted.yaml").read_text(encoding="utf-8"))
    return ParameterSet(
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
        classes={
            name: LatentClass(one["share"], one.get("factors", {}), one["status"], one.get("source", ""))
            for name, one in data["classes"].items()
        },
        correlations={(one["between"][0], one["between"][1]): one["value"] for one in data["correlations"]},
        readout={name: one["value"] for name, one in data["readout"].items()},
        readout_status={name: one["status"] for name, one in data["readout"].items()},
    )


@lru_cache
def load_posterior() -> tuple[ParameterSet, ...]:
    """Read the posterior shipped with the package: equally likely parameter sets, in random order (``data/posterior.csv``).

    A set differs from `load_parameters` at the dotted paths of the file's header. Without the file, the fitted parameters alone.
    """
    return _read_posterior(_SHIPPED, load_parameters())


def _read_posterior(folder: Traversable, fitted: ParameterSet) -> tuple[ParameterSet, ...]:
    file = folder / "posterior.csv"
    if not file.is_file():
        return (fitted,)
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    paths = lines[0].split(",")
    return tuple(fitted.replaced(dict(zip(paths, map(float, line.split(",")), strict=True))) for line in lines[1:])


def load_ensemble(population: str | Path = "fitted", draws: int = RUN_DRAWS) -> tuple[ParameterSet, ...]:
    """Return the parameter sets that patients are drawn from: the first `draws` of the posterior (``fitted``), the ``typical`` one, or the first `draws` of the
    calibration in a folder.

    Raises `ValueError` where the folder holds no calibration that can be read.
    """
    if population == "typical":
        return (load_parameters("typical"),)
    if population == "fitted":
        return load_posterior()[:draws]
    folder = Path(population)
    for name in ("fitted.yaml", "posterior.csv"):
        if not (folder / name).is_file():
            raise ValueError(
                f"no population is called {str(population)!r}, and there is no file {folder / name}; known: fitted, typical, and the folder of a calibration"
            )
    try:
        return _read_posterior(folder, _read_parameters(folder))[:draws]
    except Exception as error:  # what YAML, the columns or the numbers may hold
        what = " ".join(str(error).split())
        raise ValueError(f"the population in {folder} cannot be read ({what}); calibrate again") from None
