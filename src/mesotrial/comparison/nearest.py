"""The published trial nearest to a treatment and a line, and what it reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mesotrial.catalogue import Arm, Design, PublishedResult
    from mesotrial.comparison.patient import Person

__all__ = ["Nearest", "nearest_arm", "nearest_design"]

SHOWN = ("ORR", "PFS_MEDIAN", "PFS_RATE", "OS_MEDIAN", "OS_RATE", "TRAE_G34")
_LEAST_SHARED = 0.5  # of all drugs of the two treatments together
_GROUPS: Mapping[tuple[str, float], str] = {
    ("epithelioid", 1.0): "epithelioid",
    ("epithelioid", 0.0): "non_epithelioid",
    ("pdl1_ge1", 1.0): "pdl1_ge1",
    ("pdl1_ge1", 0.0): "pdl1_lt1",
}


@dataclass(frozen=True)
class Nearest:
    """An arm of a published trial, how near it is, and its results.

    ``same_drugs`` and ``same_line`` say whether it gave these drugs in this line of treatment; ``rows`` are results of all its patients, and of the
    subgroups this person belongs to.
    """

    trial: str
    arm: str
    label: str
    line: Literal["first", "relapsed"]
    same_drugs: bool
    same_line: bool
    rows: tuple[Mapping[str, Any], ...]

    @property
    def words(self) -> str:
        """How near, in words."""
        if self.same_drugs and self.same_line:
            return "this treatment in this line"
        if self.same_drugs:
            return f"this treatment, but in {'first line' if self.line == 'first' else 'relapsed disease'}"
        return "not this treatment, but one that shares drugs with it" + (
            "" if self.same_line else f", in {'first line' if self.line == 'first' else 'relapsed disease'}"
        )


def nearest_arm(drugs: Sequence[str], person: Person) -> Nearest | None:
    """Return the arm that shares most with the treatment, in the same line where there is one; None where nothing is near.

    Between equals, trials whose results are scored come first, then those with more patients.
    """
    best, found = (-1.0, False, 0), None
    for design, arm in _arms():
        shared = max(_shared(drugs, given) for given in _given(arm))
        if shared < _LEAST_SHARED:
            continue
        rank = (shared + (0.4 if design.line == person.line else 0.0), bool(design.evidence_trial), arm.n)
        if rank > best and (rows := tuple(_rows(design, arm, person))):
            best = rank
            found = Nearest(
                design.evidence_trial, arm.name, arm.label, design.line, shared == 1.0, design.line == person.line, rows
            )
    return found


def nearest_design(options: Sequence[Sequence[str]], line: str) -> Design:
    """Return the design of this line whose arms share most with all the options together; its patients are the population."""
    designs = list(dict.fromkeys(design.name for design, _ in _arms() if design.line == line))
    by_name = {design.name: design for design, _ in _arms()}

    def likeness(name: str) -> tuple[float, int]:
        design = by_name[name]
        best = [max(_shared(drugs, given) for arm in design.arms for given in _given(arm)) for drugs in options]
        return sum(best), sum(arm.n for arm in design.arms)

    return by_name[max(designs, key=likeness)]


@cache
def _arms() -> tuple[tuple[Design, Arm], ...]:
    from mesotrial.catalogue import entries, load_design

    designs = [load_design(entry.key) for entry in entries("trial") if entry.runnable]
    return tuple((design, arm) for design in designs for arm in design.arms)


def _given(arm: Arm) -> Iterator[frozenset[str]]:
    """Yield the sets of drugs that a patient of the arm may get; a placebo beside drugs does not count."""
    common = [regimen.drug for regimen in arm.regimens]
    for choice in arm.one_of or (None,):
        every = {*common, *(() if choice is None else (regimen.drug for regimen in choice.regimens))}
        yield frozenset(every - {"placebo"} or every)


def _shared(drugs: Sequence[str], given: frozenset[str]) -> float:
    return len(set(drugs) & given) / len(set(drugs) | given)


def _rows(design: Design, arm: Arm, person: Person) -> Iterator[Mapping[str, Any]]:
    from mesotrial.analysis.rows import shown_value
    from mesotrial.catalogue import published_results

    groups = ["all", *(group for (name, value), group in _GROUPS.items() if person.groups.get(name) == value)]
    results = published_results(design.evidence_trial) if design.evidence_trial else ()
    mine = [
        one
        for one in results
        if one.arm == arm.name
        and not one.comparator
        and one.subgroup_code in groups
        and one.code in SHOWN
        and one.value is not None
    ]
    for one in sorted(
        _best(mine), key=lambda one: (groups.index(one.subgroup_code), SHOWN.index(one.code), one.time_months or 0)
    ):
        value, low, high = (shown_value(given, one.unit) for given in (one.value, one.ci_low, one.ci_high))
        yield {
            "code": one.code,
            "time_months": one.time_months,
            "subgroup": one.subgroup_code,
            "published": value,
            "published_lo": low,
            "published_hi": high,
            "published_level": one.ci_level,
            "published_n": one.n_used or one.n,
            "checked": one.confidence == "seen",
            "role": one.role,
            "source": one.source,
            "doi": one.doi or None,
        }


def _best(results: Iterable[PublishedResult]) -> list[PublishedResult]:
    """Give one result for each code, time and subgroup: the scored one where there is one."""
    kept: dict[tuple[str, float | None, str], PublishedResult] = {}
    for one in results:
        key = one.code, one.time_months, one.subgroup_code
        if key not in kept or (one.scored and not kept[key].scored):
            kept[key] = one
    return list(kept.values())
