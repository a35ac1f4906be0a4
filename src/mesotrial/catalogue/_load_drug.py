"""From a drug's YAML to a `Drug`, in the units of the model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mesotrial.catalogue import drug as d
from mesotrial.catalogue._build import build, built
from mesotrial.catalogue._sources import own_folder, packaged, packaged_names
from mesotrial.catalogue._yaml import Document
from mesotrial.catalogue._yaml import Path as FieldPath
from mesotrial.catalogue.errors import CatalogueError, UnknownNameError
from mesotrial.catalogue.evidence import translations
from mesotrial.catalogue.names import find
from mesotrial.catalogue.names import names as entry_names

__all__ = ["background_toxicity", "drug_from_document", "load_drug"]

# What a published unit is in the model's: days, litres, milligrams.
_UNITS = {
    "L/day": ("L/day", 1.0),
    "L/h": ("L/day", 24.0),
    "mL/min": ("L/day", 1.44),
    "L": ("L", 1.0),
    "mL": ("L", 0.001),
    "1/day": ("1/day", 1.0),
    "1/h": ("1/day", 24.0),
    "day": ("day", 1.0),
    "h": ("day", 1 / 24),
    "1/mL/day": ("1/mL/day", 1.0),
    "mg": ("mg", 1.0),
    "mg/L": ("mg/L", 1.0),
    "mg/day": ("mg/day", 1.0),
    "million": ("million", 1.0),
    "million/L": ("million/L", 1.0),
    "1/Gy": ("1/Gy", 1.0),
    "1/Gy2": ("1/Gy2", 1.0),
    "1": ("1", 1.0),
}
_TWO_COMPARTMENTS = ("CL", "V1", "Q", "V2")
_CHANGING = ("CL_Emax", "CL_T50", "CL_Hill")
_NEEDED = {"cytotoxic": _TWO_COMPARTMENTS, "antibody": _TWO_COMPARTMENTS, "oral": ("KA", "CL", "V1")}
_BY_CONCENTRATION = ("pd1", "pdl1", "ctla4", "vascular", "adcc", "imid")
_DRIVER_NEEDS = {
    "immune": ("onset_days",),
    "ctla4_trough": ("onset_days", "reference_trough_mg_per_l", "trough_exponent"),
    "dose": ("any_per_dose", "g34_per_dose", "lag_days"),
    "myelosuppression": ("log_kill",),
}
_DAYS_PER_YEAR = 365.25


def load_drug(name: str) -> d.Drug:
    """Load a drug by any of its names (``nivolumab``, ``Opdivo``).

    Raises:
        UnknownNameError: no such drug; the message has the nearest names.
        CatalogueError: a drug that is known but cannot be simulated yet.
    """
    return _load(_canonical_name(name), own_folder())


def background_toxicity() -> tuple[d.Toxicity, ...]:
    """Give the events that belong to no drug: investigators of a blinded trial put them down to placebo too. They apply once to every patient on treatment."""
    return load_drug("placebo").background


def drug_from_document(document: Document, other_names: tuple[str, ...] = ()) -> d.Drug:
    """Check and read a drug's document.

    Raises:
        DataError: with file, line and dotted path of the first wrong field.
    """
    _check(document)
    return _build_drug(document, other_names)


def _check(document: Document) -> None:
    from mesotrial.catalogue._drug_file import DrugFile
    from mesotrial.catalogue._file_schema import check

    check(DrugFile, document)


def _build_drug(document: Document, other_names: tuple[str, ...]) -> d.Drug:
    data = document.data
    return build(
        d.Drug,
        data,
        immunity=tuple(data.get("immunity", ())),
        routes=tuple(data["routes"]),
        pk=_pk(document, data["pk"]) if data.get("pk") else None,
        effects=tuple(_effect(document, ("effects", i), item) for i, item in enumerate(data.get("effects", ()))),
        toxicity=_events(document, "toxicity"),
        background=_events(document, "background"),
        other_names=other_names,
        sources=dict(data["sources"]),
        regimens=tuple(data.get("regimens", ())),
        translation=_translation(document, data),
    )


def _translation(document: Document, data: Mapping[str, Any]) -> d.Translation | None:
    name = data.get("translation")
    if bool(data.get("exploratory")) != (name is not None):
        raise document.error(
            ("exploratory",),
            "an exploratory drug needs a `translation`, the name of its human-translation factor, and only such a drug has one",
        )
    if name is None:
        return None
    factors = translations()
    if name not in factors:
        raise document.error(
            ("translation",), f"no human-translation factor is called {name!r}; known: {', '.join(factors)}"
        )
    return factors[name]


def _canonical_name(name: str) -> str:
    drugs = packaged_names("drugs")
    if name in drugs:
        return name
    try:
        entry = find(name)
    except UnknownNameError:
        raise UnknownNameError(name, "drug", entry_names("drug")) from None
    if entry.name in drugs:
        return entry.name
    what = f"of kind {entry.kind}, not a drug" if entry.kind != "drug" else "a drug that cannot be simulated yet"
    if entry.kind == "drug" and entry.not_simulated:
        what = f"a drug that is not simulated: {entry.not_simulated}"
    raise CatalogueError(f"{entry.name} is {what}; drugs that can be simulated: {', '.join(drugs)}")


@cache
def _load(name: str, own: Path | None) -> d.Drug:
    document, _ = packaged("drugs", name)
    if own is not None and Path(document.file).is_relative_to(own):
        return drug_from_document(document, find(name).other_names)
    return built(lambda: _build_drug(document, find(name).other_names), lambda: _check(document))


def _pk(document: Document, data: Mapping[str, Any]) -> d.PK:
    flags = tuple(
        d.RegimenFlag(item["name"], build(d.FlagRule, item["when"]), item["meaning"]) for item in data.get("flags", ())
    )
    known = (*d.COVARIATES, *(flag.name for flag in flags))
    for i, item in enumerate(data.get("covariates", ())):
        path: FieldPath = ("pk", "covariates", i)
        if item["covariate"] not in known:
            raise document.error(
                (*path, "covariate"), f"no covariate is called {item['covariate']!r}; known: {', '.join(known)}"
            )
        if (item["form"] in ("power", "logpower")) != (item.get("reference") is not None):
            raise document.error(path, "power and logpower need a reference; exp and add have none")
    parameters = data.get("parameters", {})
    changing = _CHANGING if any(name in parameters for name in _CHANGING) else ()
    missing = [name for name in (*_NEEDED.get(data["model"], ()), *changing) if name not in parameters]
    if missing:
        raise document.error(("pk", "parameters"), f"a {data['model']} model also needs {', '.join(missing)}")
    half_life = data.get("label_half_life")
    residual = data.get("residual") or {}
    return d.PK(
        model=data["model"],
        parameters={name: _parameter(document, name, item) for name, item in parameters.items()},
        correlations={
            (item["between"][0], item["between"][1]): float(item["value"]) for item in data.get("correlations", ())
        },
        covariates=tuple(
            build(
                d.PKCovariate,
                item,
                reference=item.get("reference"),
                **_provenance(document, ("pk", "covariates", i), item, data),
            )
            for i, item in enumerate(data.get("covariates", ()))
        ),
        flags=flags,
        label_half_life_days=float(half_life["days"]) if half_life else None,
        residual_proportional=residual.get("proportional"),
        residual_additive_mg_per_l=residual.get("additive_mg_per_l"),
        alternatives=data.get("alternatives", ""),
    )


def _effect(document: Document, path: FieldPath, item: Mapping[str, Any]) -> d.Effect:
    model = (document.data.get("pk") or {}).get("model")
    if item["on"] == "cytotoxic":
        reference = "reference_dose_mg_per_m2" if model == "kpd" else "reference_auc_mg_day_per_l"
        needed: tuple[str, ...] = ("cycle_share", reference)
    else:
        needed = ("ec50_mg_per_l",) if item["on"] in _BY_CONCENTRATION else ()
    missing = [name for name in needed if item.get(name) is None]
    if missing:
        raise document.error(path, f"an effect on {item['on']} also needs {', '.join(missing)}")
    return build(
        d.Effect,
        item,
        source=_source(document, (*path, "source"), item["source"]),
        ec50_mg_per_l=item.get("ec50_mg_per_l"),
        values={
            name: d.EffectValue(
                float(one["value"]) * _UNITS[one.get("unit", "1")][1],
                _UNITS[one.get("unit", "1")][0],
                **_provenance(document, (*path, "values", name), one, item),
            )
            for name, one in (item.get("values") or {}).items()
        },
    )


def _parameter(document: Document, name: str, item: Mapping[str, Any]) -> d.PKParameter:
    unit, factor = _UNITS[item["unit"]]
    published = f"{item['value']:g}" if item["unit"] == "1" else f"{item['value']:g} {item['unit']}"
    return build(
        d.PKParameter,
        item,
        value=item["value"] * factor,
        unit=unit,
        cv_percent=item.get("cv_percent"),
        sd_additive=item.get("sd_additive"),
        published=published,
        **_provenance(document, ("pk", "parameters", name), item, document.data["pk"]),
    )


def _events(document: Document, block: str) -> tuple[d.Toxicity, ...]:
    data = document.data.get(block)
    if data is None:
        return ()
    common = {name: value for name, value in data.items() if name != "events"}
    return tuple(_event(document, (block, "events", i), {**common, **item}) for i, item in enumerate(data["events"]))


def _event(document: Document, path: FieldPath, item: Mapping[str, Any]) -> d.Toxicity:
    driver = item.get("driver")
    if driver is None:
        raise document.error(
            path, "has no driver; expected: constant, cycle, immune, ctla4_trough, dose or myelosuppression"
        )
    if driver == "cycle":
        cycle_days, any_grade, g34 = _all_given(document, path, item, ("cycle_days", "any_per_cycle", "g34_per_cycle"))
        any_grade, g34 = any_grade * _DAYS_PER_YEAR / cycle_days, g34 * _DAYS_PER_YEAR / cycle_days
    elif driver in ("dose", "myelosuppression"):
        any_grade = g34 = 0.0
    else:
        any_grade, g34 = _all_given(document, path, item, ("any_hazard_per_year", "g34_hazard_per_year"))
    _all_given(document, path, item, _DRIVER_NEEDS.get(driver, ()))
    if max(g34, item.get("g34_per_dose") or 0.0) > max(any_grade, item.get("any_per_dose") or 0.0):
        raise document.error(path, "events of grade 3-4 are counted among those of any grade, and cannot be more")
    return build(
        d.Toxicity,
        item,
        any_hazard_per_year=any_grade,
        g34_hazard_per_year=g34,
        **_provenance(document, path, item, item),
    )


def _all_given(
    document: Document, path: FieldPath, item: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[float, ...]:
    values = tuple(float(item[name]) for name in names if item.get(name) is not None)
    if len(values) < len(names):
        raise document.error(path, f"driver {item['driver']} needs {', '.join(names)}")
    return values


def _provenance(
    document: Document, path: FieldPath, item: Mapping[str, Any], around: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the source in full and the status, the item's own or those of the block around it."""
    key = item.get("source") or around["source"]
    return {"source": _source(document, (*path, "source"), key), "status": item.get("status") or around["status"]}


def _source(document: Document, path: FieldPath, key: str) -> str:
    sources: Mapping[str, str] = document.data["sources"]
    if key not in sources:
        raise document.error(path, f"no source has the key {key!r}; the file's sources are {', '.join(sources)}")
    return sources[key]
