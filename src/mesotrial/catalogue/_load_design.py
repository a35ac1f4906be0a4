"""From a design's YAML to a `Design`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from mesotrial.catalogue import design as d
from mesotrial.catalogue._build import build, built
from mesotrial.catalogue._check_design import check_arms, check_continuous, check_lead_in, check_scans, check_strata
from mesotrial.catalogue._load_analysis import read_analysis
from mesotrial.catalogue._sources import packaged, packaged_names, read_text
from mesotrial.catalogue._yaml import Document, dotted, read_yaml
from mesotrial.catalogue._yaml import Path as FieldPath
from mesotrial.catalogue.analysis_plan import entry_month
from mesotrial.catalogue.errors import CatalogueError, RegimenError, UnknownNameError, nearest
from mesotrial.catalogue.evidence import published_results
from mesotrial.catalogue.names import find, names
from mesotrial.catalogue.regimen import Regimen
from mesotrial.catalogue.search import filled
from mesotrial.catalogue.standard import runnable_regimen

__all__ = ["design_from_text", "design_of", "load_design"]

_MOST_ASKED = 10  # people asked for each one taken in: where an arm is long full, the blocks still send people to it


def load_design(name_or_path: str | Path) -> d.Design:
    """Load a trial of the catalogue by any of its names, or a design file (.yaml, .yml).

    Raises:
        UnknownNameError: no such trial; the message has the nearest names.
        DataError: a file that cannot be read, with file, line and dotted path.
        RegimenError: a regimen that cannot be read, with a caret under the word.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.lower().endswith((".yaml", ".yml")):
        return design_from_text(read_text(Path(name_or_path)), str(name_or_path))
    name = _catalogue_name(text)
    document, source = packaged("designs", name)
    return built(lambda: _build_design(document, source), lambda: _check(document))


def design_from_text(text: str, file: str = "design") -> d.Design:
    """Load a design from the text of its YAML; ``file`` is the name used in errors. Raises as `load_design` does."""
    return design_of(filled(read_yaml(text, file), text), text)


def design_of(document: Document, text: str) -> d.Design:
    """Check and build the design of a document without ranges; ``text`` is its source."""
    _check(document)
    return _build_design(document, text)


def _check(document: Document) -> None:
    from mesotrial.catalogue._design_file import DesignFile
    from mesotrial.catalogue._file_schema import check

    check(DesignFile, document)


def _catalogue_name(text: str) -> str:
    """Find the design file's stem for any name of a trial."""
    designs = packaged_names("designs")
    if text in designs:
        return text
    try:
        entry = find(text)
    except UnknownNameError:
        raise UnknownNameError(text, "trial", (*designs, *names("trial"))) from None
    if entry.kind == "trial" and entry.runnable:
        return entry.key
    what = "a trial" if entry.kind == "trial" else f"a {entry.kind}"
    reason = entry.not_simulated or "its design is not written yet" if entry.kind == "trial" else "not a trial"
    raise CatalogueError(
        f"{entry.name} is in the catalogue as {what}, but {reason}; trials that can be run: {', '.join(designs)}"
    )


def _build_design(document: Document, source: str) -> d.Design:
    data = document.data
    arms = tuple(_arm(document, ("arms", i), item) for i, item in enumerate(data["arms"]))
    randomisation = _randomisation(document, [arm.n for arm in arms])
    given = {
        "title": data.get("title") or data["name"],
        "population": _population(document),
        "lead_in": _lead_in(document),
        "arms": arms,
        "randomisation": randomisation,
        "analysis": read_analysis(document, arms, randomisation),
        "scans": _scans(document),
        "endpoints": tuple(data.get("endpoints") or d.Design.endpoints),
        "source_text": source,
    }
    if data.get("evidence_trial"):
        given["evidence_trial"] = _evidence_trial(document, data["evidence_trial"])
    design: d.Design = build(d.Design, data, **given)
    if design.analysis is not None and design.analysis.accrual:
        months = entry_month(design.analysis.accrual, sum(arm.n for arm in arms))
        design = replace(design, accrual_months=months)
    check_strata(document, randomisation.strata, design.population)
    check_lead_in(document, design.lead_in)
    check_arms(document, arms, design.follow_up_months)
    check_scans(document, arms, design.scans, design.accrual_months, design.follow_up_months)
    return design


def _arm(document: Document, path: FieldPath, data: Mapping[str, Any]) -> d.Arm:
    regimens, one_of = _treatment(document, path, data, f"arm {data['name']!r}")
    return build(
        d.Arm,
        data,
        label=data.get("label") or data["name"],
        regimens=regimens,
        one_of=one_of,
        stop_rules=build(d.StopRules, data.get("stop_rules") or {}),
        after_progression=build(d.AfterProgression, data.get("after_progression") or {}),
        second_line=_second_line(document, (*path, "second_line"), data),
    )


def _treatment(
    document: Document, path: FieldPath, data: Mapping[str, Any], whose: str
) -> tuple[tuple[Regimen, ...], tuple[d.Alternative, ...]]:
    """Read regimens and alternatives."""
    regimens = _regimens(document, (*path, "regimens"), data.get("regimens", []))
    one_of = tuple(
        d.Alternative(float(item["share"]), _regimens(document, (*path, "one_of", i, "regimens"), item["regimens"]))
        for i, item in enumerate(data.get("one_of", []))
    )
    if not regimens and not one_of:
        raise document.error(
            path,
            f"{whose} has no regimen; write one under `regimens:`, such as nivolumab 3 mg/kg IV over 60 min q2w",
        )
    total = sum(choice.share for choice in one_of)
    if one_of and abs(total - 1) > 1e-6:
        raise document.error((*path, "one_of"), f"the shares add up to {total:g}, not 1")
    return regimens, one_of


def _second_line(document: Document, path: FieldPath, arm: Mapping[str, Any]) -> d.SecondLine | None:
    data = arm.get("second_line")
    if data is None:
        return None
    if arm.get("on_progression") == "continue":
        raise document.error(
            path, "has no place where treatment goes on after progression; leave out `on_progression: continue`"
        )
    regimens, one_of = _treatment(document, path, data, f"the second line of arm {arm['name']!r}")
    return build(d.SecondLine, data, regimens=regimens, one_of=one_of)


def _lead_in(document: Document) -> d.LeadIn | None:
    data = document.data.get("lead_in")
    if data is None:
        return None
    regimens, one_of = _treatment(document, ("lead_in",), data, "the lead-in")
    return build(d.LeadIn, data, regimens=regimens, one_of=one_of)


def _regimens(document: Document, path: FieldPath, texts: list[str]) -> tuple[Regimen, ...]:
    return tuple(_regimen(document, (*path, i), text) for i, text in enumerate(texts))


def _regimen(document: Document, path: FieldPath, text: str) -> Regimen:
    try:
        return runnable_regimen(text)
    except RegimenError as error:
        raise error.at(document.file, document.line(path), dotted(path)) from None


def _population(document: Document) -> d.Population:
    data = _merged_population(document, document.data["population"])
    missing = [
        f.name
        for f in fields(d.Population)
        if f.default is MISSING and f.name != "sources" and data.get(f.name) is None
    ]
    if missing:
        message = f"has no {', '.join(missing)}; give the distribution, or `like: TRIAL` to take it from a trial of the catalogue"
        raise document.error(("population",), message)
    parts = {
        name: _continuous(document, name, value)
        for name, value in data.items()
        if isinstance(value, Mapping) and name != "sources"
    }
    return build(d.Population, data, **parts, sources=dict(data.get("sources", {})))


def _merged_population(document: Document, own: Mapping[str, Any]) -> dict[str, Any]:
    """Take what is not given from the design named by ``like``."""
    own = {name: value for name, value in own.items() if value is not None}
    like = own.pop("like", None)
    if like is None:
        return own
    try:
        name = _catalogue_name(like)
    except CatalogueError as error:
        raise document.error(("population", "like"), str(error)) from None
    other, _ = packaged("designs", name)
    base = _merged_population(other, other.data["population"])
    kept = {field: text for field, text in base.pop("sources", {}).items() if field not in own}
    return {**base, **own, "sources": {**kept, **own.get("sources", {})}}


def _continuous(document: Document, name: str, data: Mapping[str, Any]) -> d.Continuous:
    spec = build(d.Continuous, data)
    check_continuous(document, name, spec)
    return spec


def _randomisation(document: Document, sizes: Sequence[int]) -> d.Randomisation:
    data = document.data.get("randomisation") or {}
    arms, path = len(sizes), ("randomisation", "ratio")
    ratio = tuple(data.get("ratio") or (1,) * arms)
    if len(ratio) != arms:
        raise document.error(path, f"has {len(ratio)} numbers for {arms} arms; give one an arm")
    asked = max(size / part for size, part in zip(sizes, ratio, strict=True)) * sum(ratio)
    if len(set(sizes)) > 1 and asked > _MOST_ASKED * sum(sizes):
        written = ":".join(map(str, ratio))
        raise document.error(path, f"{written} does not fit arms of {', '.join(map(str, sizes))} patients")
    strata = tuple(data.get("strata", ()))
    for i, stratum in enumerate(strata):
        if stratum not in d.STRATA:
            near = nearest(stratum, d.STRATA, 1)
            message = f"no stratum is called {stratum!r}; " + (
                f"did you mean {near[0]}?" if near else f"known: {', '.join(d.STRATA)}"
            )
            raise document.error(("randomisation", "strata", i), message)
    block = data.get("block") or 2 * sum(ratio)
    if block % sum(ratio):
        raise document.error(
            ("randomisation", "block"), f"must be a multiple of {sum(ratio)}, the sum of the ratio (here {block})"
        )
    return d.Randomisation(ratio, strata, block)


def _scans(document: Document) -> d.Scans:
    scans = build(d.Scans, document.data["scans"])
    try:
        scans.scan_days(0)
    except CatalogueError as error:
        raise document.error(("scans", "every_weeks"), str(error)) from None
    return scans


def _evidence_trial(document: Document, name: str) -> str:
    """Give the trial's name in the published table, for any of its names."""
    try:
        rows = published_results(name)
    except UnknownNameError as error:
        raise document.error(("evidence_trial",), str(error)) from None
    if not rows:
        raise document.error(("evidence_trial",), f"nothing is published for {name!r}; leave this field out")
    return rows[0].trial
