"""The comparison table: what the page says of each row of summary.json."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mesotrial.analysis import codes
from mesotrial.report import words
from mesotrial.report.marks import interval_mark
from mesotrial.report.words import NOT_REACHED

if TYPE_CHECKING:
    from mesotrial.catalogue import Design

__all__ = ["Comparison", "Group", "Line", "Source", "compare", "tally"]

_FAMILIES = ("os", "pfs", "response", "toxicity")
_DOI = re.compile(r"10\.\d{4,9}/\S+")


@dataclass(frozen=True)
class Source:
    """A numbered source, with its DOI where it has one."""

    number: int
    text: str
    doi: str | None

    @property
    def link(self) -> str | None:
        """The address that the DOI resolves to."""
        return f"https://doi.org/{self.doi}" if self.doi and _DOI.fullmatch(self.doi) else None


@dataclass(frozen=True)
class Line:
    """One endpoint as shown: texts, and the mark that draws its intervals."""

    name: str
    subgroup: str
    simulated: str
    simulated_interval: str
    mark: Markup
    published: str
    published_interval: str
    published_level: str
    page: str
    page_statement: str
    z: str
    covered: bool | None
    inside: bool | None
    source: Source | None
    remarks: tuple[str, ...]
    why_not: str


@dataclass(frozen=True)
class Group:
    """The lines of one arm, or of one arm against another; `colour` is a CSS variable."""

    title: str
    colour: str
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Comparison:
    """Groups of lines that are scored (or simulated only), groups of the other published numbers, and the sources of both."""

    groups: list[Group]
    others: list[Group]
    sources: list[Source]


def tally(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count the scored rows that were predicted, those whose z covers them, and those inside the prediction interval."""
    scored = [row for row in rows if row["scored"] == "yes" and (row["z"] is not None or row["inside90"] is not None)]
    return {
        "scored": len(scored),
        "covered": sum(row["z"] is not None and abs(row["z"]) <= codes.COVERED for row in scored),
        "inside": sum(bool(row["inside90"]) for row in scored),
    }


def compare(rows: Sequence[Mapping[str, Any]], design: Design) -> Comparison:
    """Arrange the rows of summary.json for the page; what could be neither simulated nor scored is left out."""
    place = {arm.name: i for i, arm in enumerate(design.arms)}
    label = {arm.name: arm.label for arm in design.arms}
    sources: dict[tuple[str, str | None], Source] = {}
    shown: dict[tuple[int, int], Group] = {}
    other: dict[tuple[int, int], Group] = {}
    medians = [
        row[key]
        for row in rows
        if codes.is_median(row["code"])
        for key in ("hi90", "published_hi", "simulated", "published")
        if row[key]
    ]
    longest = max(medians, default=12.0)
    for row in sorted(rows, key=lambda row: _order(row, place)):
        is_main = row["scored"] == "yes" or (
            row["published"] is None and (row["simulated"] is not None or (is_open(row) and row["lo90"] is not None))
        )
        if not is_main and row["published"] is None:
            continue
        key = (place[row["arm"]], -1 if row["comparator"] is None else place[row["comparator"]])
        title = (
            label[row["arm"]]
            if row["comparator"] is None
            else f"{label[row['arm']]} against {label[row['comparator']]}"
        )
        colour = f"arm-{key[0] % 4}"
        group = (shown if is_main else other).setdefault(key, Group(title, colour))
        group.lines.append(_line(row, longest, colour, _source(row, sources)))
    return Comparison(_sorted(shown), _sorted(other), list(sources.values()))


def is_open(row: Mapping[str, Any]) -> bool:
    """Say whether nobody knows the value of a row: an exploratory drug is given there."""
    return bool(row.get("exploratory"))


def _sorted(groups: Mapping[tuple[int, int], Group]) -> list[Group]:
    """Arms in the order of the design, comparisons after them."""
    return [groups[key] for key in sorted(groups, key=lambda key: (key[1] >= 0, key))]


def _order(row: Mapping[str, Any], place: Mapping[str, int]) -> tuple[Any, ...]:
    kind = (codes.is_hazard_ratio(row["code"]), not codes.is_median(row["code"]))
    subgroup = "" if row["subgroup"] == "all" else row["subgroup"]
    published = row["published"] is not None
    return (
        place[row["arm"]],
        _FAMILIES.index(codes.family(row["code"])),
        not published,
        subgroup,
        *kind,
        row["code"],
        row["time_months"] or 0.0,
    )


def _source(row: Mapping[str, Any], sources: dict[tuple[str, str | None], Source]) -> Source | None:
    if not row["source"]:
        return None
    key = (row["source"], row["doi"])
    return sources.setdefault(key, Source(len(sources) + 1, row["source"], row["doi"]))


def _line(row: Mapping[str, Any], longest: float, colour: str, source: Source | None) -> Line:
    code = row["code"]
    remarks = []
    if row["confidence"] and row["confidence"] != "seen":
        remarks.append("not yet checked at source")
    elif row["ci_verified"] is False and row["published_lo"] is not None:
        remarks.append("interval not yet checked at source")
    number = row["published"]
    published = words.value(code, number) if code not in ("COUNT", "OTHER") or number is None else f"{number:g}"
    level = row["published_level"]
    is_beyond = row["simulated"] is None and row["lo90"] is not None
    z = row["z"]
    return Line(
        name=words.endpoint_name(row),
        subgroup=words.subgroup_name(row["subgroup"]),
        simulated=words.NOT_KNOWN
        if is_open(row)
        else NOT_REACHED
        if is_beyond
        else words.value(code, row["simulated"], rounded=True),
        simulated_interval=words.interval(code, row["lo90"], row["hi90"], rounded=True),
        mark=Markup(interval_mark(row, longest, colour)),
        published="not published" if number is None else published,
        published_interval=words.interval(code, row["published_lo"], row["published_hi"])
        if row["published_lo"] is not None
        else "",
        published_level=f"{level:g}{words.NO_BREAK}% interval" if level else "",
        page="" if row["page"] is None else words.value(code, row["page"]),
        page_statement=row["page_statement"] or "",
        z="" if z is None else f"{z:+.2f}".replace("-", "\N{MINUS SIGN}"),
        covered=None if z is None else abs(z) <= codes.COVERED,
        inside=row["inside90"],
        source=source,
        remarks=tuple(remarks),
        why_not=row["why_not"] or "",
    )
