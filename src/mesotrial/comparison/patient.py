"""A person as people write it: ``age 70, male, epithelioid, ECOG 1, PD-L1 5%, tumour 80 mm, first line``.

Parts are joined by commas. What is not said is drawn as it was in the trial whose patients serve as the population.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mesotrial.catalogue.errors import nearest
from mesotrial.comparison.errors import PatientError

__all__ = ["Person", "person_from_text"]

# What a person of these trials can be at all; beyond these the text is refused as a mistake.
_POSSIBLE: Mapping[str, tuple[float, float, str]] = {
    "age_years": (18.0, 100.0, "years"),
    "weight_kg": (30.0, 250.0, "kg"),
    "height_cm": (120.0, 220.0, "cm"),
    "albumin_g_per_l": (15.0, 60.0, "g/L"),
    "ldh_u_per_l": (50.0, 5000.0, "U/L"),
    "egfr_ml_per_min": (15.0, 200.0, "mL/min"),
}
_MEASURES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "age": ("age_years", ("", "y", "yr", "years", "years old")),
    "weight": ("weight_kg", ("", "kg")),
    "height": ("height_cm", ("", "cm")),
    "albumin": ("albumin_g_per_l", ("", "g/l")),
    "ldh": ("ldh_u_per_l", ("", "u/l")),
    "egfr": ("egfr_ml_per_min", ("", "ml/min")),
}
_WORDS: Mapping[str, tuple[str, float | str]] = {
    **dict.fromkeys(("male", "man", "m"), ("female", 0.0)),
    **dict.fromkeys(("female", "woman", "f"), ("female", 1.0)),
    **dict.fromkeys(("epithelioid", "epithelial"), ("epithelioid", 1.0)),
    **dict.fromkeys(
        ("non-epithelioid", "nonepithelioid", "sarcomatoid", "biphasic", "desmoplastic"), ("epithelioid", 0.0)
    ),
    **dict.fromkeys(("pd-l1 positive", "pd-l1-positive"), ("pdl1_ge1", 1.0)),
    **dict.fromkeys(("pd-l1 negative", "pd-l1-negative"), ("pdl1_ge1", 0.0)),
    **dict.fromkeys(("first line", "1st line", "1l", "untreated", "newly diagnosed"), ("line", "first")),
    **dict.fromkeys(
        (
            "second line",
            "2nd line",
            "2l",
            "third line",
            "3rd line",
            "3l",
            "relapsed",
            "previously treated",
            "pretreated",
        ),
        ("line", "relapsed"),
    ),
    **dict.fromkeys(("pleural", "mesothelioma"), ("", 0.0)),
    "peritoneal": ("", 0.0),
}
_NOTES: Mapping[str, str] = {
    "sarcomatoid": "sarcomatoid: trials report it together with other non-epithelioid disease, and so does the model",
    "biphasic": "biphasic: trials report it together with other non-epithelioid disease, and so does the model",
    "desmoplastic": "desmoplastic: trials report it together with other non-epithelioid disease, and so does the model",
    "third line": "third line: simulated as relapsed disease, as in trials of second and later lines",
    "3rd line": "third line: simulated as relapsed disease, as in trials of second and later lines",
    "3l": "third line: simulated as relapsed disease, as in trials of second and later lines",
}
_OUTSIDE: Mapping[str, str] = {
    "peritoneal": "peritoneal mesothelioma: few patients of these trials had it; it is simulated as pleural",
}
_SMALLEST_MM, _LARGEST_MM = 10.0, 500.0  # of the summed thickness; less is not measurable
_EXAMPLE = "'age 70, male, epithelioid, ECOG 1, PD-L1 5%, first line'"
_HIGHEST_ECOG_SEEN, _HIGHEST_ECOG = 1, 2
_PDL1 = re.compile(r"pd-?l1\s*(?:tps|score)?\s*(<|>=|≥|=)?\s*(\d+(?:\.\d+)?)\s*%?")
_ECOG = re.compile(r"(?:ecog|ps|performance status)\s*(?:ps)?\s*(\d)")
_TUMOUR = re.compile(r"(?:tumou?r|size|tumou?r size)\s*(?:of\s*)?=?\s*(\d+(?:\.\d+)?)\s*(\S.*)?")
_NUMBER = re.compile(r"([a-z]+)\s*=?\s*(\d+(?:\.\d+)?)\s*(\S.*)?")


@dataclass(frozen=True)
class Person:
    """What is known of a person.

    ``continuous`` holds covariates by name in the unit of the name, ``groups`` those that are 0 or 1 (``female``, ``epithelioid``, ``ecog_ge1``,
    ``pdl1_ge1``). ``tumour_mm`` is the sum of measurements on the first scan, as modified RECIST takes it.
    ``notes`` say how words were taken, ``extrapolation`` what lies outside the trials whatever the treatment.
    """

    text: str
    line: Literal["first", "relapsed"]
    continuous: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, float] = field(default_factory=dict)
    tumour_mm: float | None = None
    notes: tuple[str, ...] = ()
    extrapolation: tuple[str, ...] = ()


def person_from_text(text: str) -> Person:
    """Read a person; a mistake is told with a caret under the word.

    Raises:
        PatientError: a word that is not known, a value that no person of these trials can have, something said twice, or no line of treatment.
    """
    said: dict[str, float | str] = {}
    notes: list[str] = []
    outside: list[str] = []
    for start, part in _parts(text):
        name, value = _read(text, start, part)
        if name in said and name:
            raise PatientError(text, start, start + len(part), "this was said before; say each thing once")
        if name:
            said[name] = value
        key = part.lower()
        notes += [_NOTES[key]] if key in _NOTES else []
        outside += [_OUTSIDE[key]] if key in _OUTSIDE else []
        if name == "ecog_ge1":
            grade = int(key[-1])
            if grade > _HIGHEST_ECOG_SEEN:
                outside.append(f"ECOG {grade}: nearly all patients of these trials had 0 or 1; simulated as 1")
            said[name] = float(grade > 0)
    if "line" not in said:
        raise PatientError(
            text,
            len(text),
            len(text),
            "say which line of treatment it is: add 'first line' or 'relapsed', for results differ most by that",
        )
    line: Literal["first", "relapsed"] = "first" if said.pop("line") == "first" else "relapsed"
    size = said.pop("tumour_mm", None)
    return Person(
        text,
        line,
        {name: float(value) for name, value in said.items() if name in _POSSIBLE},
        {name: float(value) for name, value in said.items() if name not in _POSSIBLE},
        None if size is None else float(size),
        tuple(notes),
        tuple(outside),
    )


def _parts(text: str) -> list[tuple[int, str]]:
    """Give the parts between commas with their places; spaces around and inside a part do not count."""
    found = []
    for match in re.finditer(r"[^,;]+", text):
        part = match.group().strip()
        if part:
            found.append((match.start() + len(match.group()) - len(match.group().lstrip()), part))
    return found


def _read(text: str, start: int, part: str) -> tuple[str, float | str]:
    """Give what one part says."""
    key = " ".join(part.lower().split())
    end = start + len(part)
    if key in _WORDS:
        return _WORDS[key]
    if pdl1 := _PDL1.fullmatch(key):
        share = float(pdl1.group(2))
        if share > 100:
            raise PatientError(text, start, end, "a share of tumour cells lies between 0 and 100 %")
        if pdl1.group(1) == "<" and share > 1:
            raise PatientError(
                text, start, end, "says neither under 1 % nor 1 % or more; write one of these, or the value itself"
            )
        return "pdl1_ge1", float(share >= 1 and not (pdl1.group(1) == "<" and share <= 1))
    if ecog := _ECOG.fullmatch(key):
        if int(ecog.group(1)) > _HIGHEST_ECOG:
            raise PatientError(
                text, start, end, f"no trial here took patients with ECOG {ecog.group(1)}; nothing can be said for them"
            )
        return "ecog_ge1", 0.0
    if tumour := _TUMOUR.fullmatch(key):
        size, unit = float(tumour.group(1)), tumour.group(2) or ""
        if unit not in ("mm", "cm"):
            raise PatientError(text, start, end, "expected the tumour's measured sum in mm or cm, as in 'tumour 80 mm'")
        size *= 10.0 if unit == "cm" else 1.0
        if not _SMALLEST_MM <= size <= _LARGEST_MM:
            raise PatientError(text, start, end, f"expected a tumour from {_SMALLEST_MM:g} to {_LARGEST_MM:g} mm")
        return "tumour_mm", size
    if number := _NUMBER.fullmatch(key):
        word, value, unit = number.group(1), float(number.group(2)), number.group(3) or ""
        if word in _MEASURES:
            name, units = _MEASURES[word]
            low, high, shown = _POSSIBLE[name]
            if unit not in units:
                raise PatientError(text, start, end, f"expected {word} in {shown}")
            if not low <= value <= high:
                raise PatientError(text, start, end, f"expected {word} from {low:g} to {high:g} {shown}")
            return name, value
    known = (*_MEASURES, "tumour", "ECOG", "PD-L1", *_WORDS)
    near = nearest(re.sub(r"[\d.%<>=\s]+$", "", key) or key, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise PatientError(text, start, end, f"this is not known{hint} Expected words such as {_EXAMPLE}")
