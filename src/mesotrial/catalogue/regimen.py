"""Regimens as people write them: ``nivolumab 3 mg/kg IV over 60 min q2w x 52``.

Grammar, words in this order, case ignored::

    DRUG DOSE ROUTE [over N min|h] [dDAYS] qNw|qNd|qNh|daily|once [x N] [then qNw|qNd [x N]]... [from week|day N]
    surgery PERCENT % [at week|day N]
    radiation DOSE Gy in FRACTIONS [at week|day N]

DOSE is ``3 mg/kg``, ``240 mg``, ``75 mg/m2`` or ``AUC5``; ``25e6 cells``, ``1e8 cells/kg``; ``3e11 VP`` or ``1e7 PFU`` of a virus, ``1e9 CFU`` of bacteria;
``9 MIU``, ``600000 IU/kg``; ``800 mcg``. A placebo has none. DAYS are days of a cycle counted from 1, as ``d1``, ``d1,8,15`` or ``d1-21``. ``x N`` counts
cycles; without it the phase goes on until treatment ends. ``from week 6`` starts on day 42 after the start of treatment (``at`` says the same).
Surgery takes out a share of the tumour; radiation is given in equal fractions, five a week.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, NoReturn, get_args

from mesotrial.catalogue.errors import RegimenError, nearest

__all__ = ["COUNTS", "ROUTES", "DoseUnit", "Phase", "Regimen", "parse_regimen"]

DoseUnit = Literal[
    "mg", "mg/kg", "mg/m2", "AUC", "mcg", "mcg/kg", "g", "cells", "cells/kg", "PFU", "VP", "CFU", "IU", "IU/kg", "IU/m2", "MIU", "MIU/kg", "MIU/m2",
    "Gy", "%",
]  # fmt: skip
ROUTES = ("IV", "PO", "SC", "IM", "ID", "intrapleural", "intratumoural", "intravesical", "topical")
# What a unit counts, and how many of the model's units (mg; millions; Gy) one of it is. AUC is a target that needs a patient's kidneys.
COUNTS: dict[str, tuple[str, float]] = {
    "mg": ("mg", 1.0), "AUC": ("mg", 1.0), "mcg": ("mg", 1e-3), "g": ("mg", 1e3), "cells": ("cells", 1e-6), "PFU": ("PFU", 1e-6), "VP": ("VP", 1e-6),
    "CFU": ("CFU", 1e-6), "IU": ("IU", 1e-6), "MIU": ("IU", 1.0), "Gy": ("Gy", 1.0), "%": ("%", 1.0),
}  # fmt: skip

_UNITS: tuple[DoseUnit, ...] = get_args(DoseUnit)
_ROUTE_OF = {route.lower(): route for route in ROUTES}
_UNIT_OF: dict[str, DoseUnit] = {unit.lower(): unit for unit in _UNITS} | {
    "mg/m²": "mg/m2", "mg/m^2": "mg/m2", "µg": "mcg", "μg": "mcg", "ug": "mcg", "mu": "MIU", "mu/m2": "MIU/m2", "vp/dose": "VP",
}  # fmt: skip
_NUMBER = re.compile(r"\d+(\.\d+)?(e\+?\d{1,2})?", re.ASCII | re.IGNORECASE)
_AUC = re.compile(r"auc(\d+(?:\.\d+)?)?", re.ASCII | re.IGNORECASE)
_INTERVAL = re.compile(r"q(\d+)([wdh])", re.ASCII | re.IGNORECASE)
_NUMBER_UNIT = re.compile(r"(\d+(?:\.\d+)?(?:e\+?\d{1,2}(?!\d))?)([a-zµμ/%].*)", re.ASCII | re.IGNORECASE)
_DAYS = re.compile(r"d\d", re.ASCII | re.IGNORECASE)
_A_DOSE = "a dose, such as 3 mg/kg, 240 mg, 75 mg/m2 or AUC5"
_DAYS_PER_WEEK = 7
# Far beyond any protocol; they keep a mistyped number from filling the memory.
_MOST_DAYS, _MOST_CYCLES, _MOST_AMOUNT, _MOST_COUNT = 3660, 10_000, 1e6, 1e15
_MOST_FRACTIONS, _MOST_GY, _MOST_GY_A_FRACTION = 60, 100.0, 30.0


@dataclass(frozen=True)
class Phase:
    """``cycles`` cycles of ``cycle_days`` days each; None means until treatment ends."""

    cycle_days: float
    cycles: int | None

    def __post_init__(self) -> None:
        """Refuse a phase that would never move on."""
        if not (self.cycle_days > 0 and (self.cycles is None or self.cycles > 0)):
            raise ValueError(
                f"a phase needs a positive length and number of cycles, not {self.cycle_days} days x {self.cycles}"
            )


@dataclass(frozen=True)
class Regimen:
    """One drug with its dose and schedule.

    ``amount`` is that of one occasion, in ``unit`` (0 for a placebo without a stated dose),
    ``infusion_minutes`` is 0 for a bolus, ``days_in_cycle`` count from 1,
    ``start_day`` counts from 0 at the start of treatment.
    """

    text: str
    drug: str
    amount: float
    unit: DoseUnit
    route: str
    infusion_minutes: float
    days_in_cycle: tuple[int, ...]
    phases: tuple[Phase, ...]
    start_day: float = 0.0

    def dose_days(self, until_day: float) -> tuple[float, ...]:
        """Give the planned days of dosing, from 0 at the start of treatment and strictly before ``until_day`` (a dose due that day is not given)."""
        if not math.isfinite(until_day):
            raise ValueError(f"until_day must be a finite number of days, not {until_day}")
        days: list[float] = []
        cycle_start = self.start_day
        for phase in self.phases:
            left = math.inf if phase.cycles is None else phase.cycles
            while left > 0 and cycle_start < until_day:
                days += [day for d in self.days_in_cycle if (day := cycle_start + d - 1) < until_day]
                cycle_start += phase.cycle_days
                left -= 1
        return tuple(days)


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        return self.text.lower()


def parse_regimen(text: str) -> Regimen:
    """Read one regimen; the grammar is in the module's docstring.

    Raises:
        RegimenError: with a caret under the word that cannot be read, and what is expected there.
    """
    return _Parser(text).regimen()


class _Parser:
    """Reads the words from left to right; each method takes the words of its own part."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self.words = [_Word(m.group(), m.start(), m.end()) for m in re.finditer(r"\S+", self.text)]
        self.next = 0

    def regimen(self) -> Regimen:
        drug = self.drug()
        if drug == "surgery":
            return self.surgery()
        if drug in ("radiation", "radiotherapy"):
            return self.radiation()
        amount, unit = self.dose(drug)
        route = self.route()
        minutes = self.infusion()
        days_word, days = self.days()
        phases = self.phases()
        shortest = min(phase.cycle_days for phase in phases)
        if days_word and max(days) > shortest:
            self.fail(days_word, f"day {max(days)} lies outside the cycle of {shortest:g} days")
        start_day = self.start()
        self.end("drug, dose, route, over, days, interval, x cycles, then, from")
        return Regimen(self.text, drug, amount, unit, route, minutes, days, phases, start_day)

    def surgery(self) -> Regimen:
        expected = "the share of the tumour taken out, as in `surgery 95 % at week 8`"
        share, _ = self.amount(expected, ("%",))
        if share >= 100:
            self.fail(self.words[1], "an operation leaves some cells behind: less than 100 %")
        start_day = self.start()
        self.end("surgery, percent, at week or day")
        return Regimen(self.text, "surgery", share, "%", "operation", 0.0, (1,), (Phase(1.0, 1),), start_day)

    def radiation(self) -> Regimen:
        total, _ = self.amount("a dose, as in `radiation 30 Gy in 10 at week 2`", ("Gy",))
        self.expect("in")
        word = self.take("a number of fractions, as in `30 Gy in 10`")
        fractions = self.whole(word, word.text, _MOST_FRACTIONS)
        if total > _MOST_GY or total / fractions > _MOST_GY_A_FRACTION:
            self.fail(self.words[1], f"at most {_MOST_GY:g} Gy in all and {_MOST_GY_A_FRACTION:g} Gy a fraction")
        start_day = self.start()
        self.end("radiation, dose, in fractions, at week or day")
        days = tuple(_DAYS_PER_WEEK * (i // 5) + i % 5 + 1 for i in range(fractions))
        phases = (Phase(float(days[-1]), 1),)
        return Regimen(self.text, "radiation", total / fractions, "Gy", "external beam", 0.0, days, phases, start_day)

    def amount(self, expected: str, units: tuple[DoseUnit, ...]) -> tuple[float, DoseUnit]:
        """Take a number and one of these units, written apart or together."""
        word = self.take(expected)
        if glued := _glued(word.text):
            number, text, unit_word = glued.group(1), glued.group(2), word
        else:
            self.positive(word, word.text)
            number, unit_word = word.text, self.take(f"a unit after {word.text}: {', '.join(units)}")
            text = unit_word.text
        unit = _UNIT_OF.get(text.lower())
        if unit not in units:
            self.fail(unit_word, f"expected {' or '.join(units)} here")
        return self.positive(word, number), unit

    def expect(self, text: str) -> None:
        word = self.take(f"`{text}`")
        if word.lower != text:
            self.fail(word, f"expected `{text}` here")

    def end(self, order: str) -> None:
        if (left := self.peek()) is not None:
            self.fail(left, f"nothing more was expected here; the order is: {order}")

    def drug(self) -> str:
        first = self.take("a drug, as in `nivolumab 3 mg/kg IV q2w`")
        if not first.text[0].isalpha() or _AUC.fullmatch(first.text) or first.lower in _ROUTE_OF:
            self.fail(first, "expected the name of a drug first, as in `nivolumab 3 mg/kg IV q2w`")
        words = [first.text]
        while (word := self.peek()) is not None and word.text[0].isalpha() and not self.ends_name(word):
            words.append(self.take("").text)
        return " ".join(words).lower()

    def ends_name(self, word: _Word) -> bool:
        return (
            word.lower in _ROUTE_OF
            or _AUC.fullmatch(word.text) is not None
            or _INTERVAL.fullmatch(word.text) is not None
        )

    def dose(self, drug: str) -> tuple[float, DoseUnit]:
        word = self.peek()
        if drug == "placebo" and word is not None and word.lower in _ROUTE_OF:
            return 0.0, "mg"
        word = self.take(_A_DOSE)
        if word.lower in _ROUTE_OF:
            self.fail(word, f"expected {_A_DOSE} before the route")
        if auc := _AUC.fullmatch(word.text):
            if auc.group(1):
                return self.positive(word, auc.group(1)), "AUC"
            target = self.take("the target area, as in AUC5")
            return self.positive(target, target.text), "AUC"
        if glued := _glued(word.text):
            unit = self.unit(word, glued.group(2))
            return self.positive(word, glued.group(1), _most(unit)), unit
        self.positive(word, word.text, _MOST_COUNT)
        unit_word = self.take(f"a unit after {word.text}: {', '.join(_UNITS[:3])}")
        unit = self.unit(unit_word, unit_word.text)
        return self.positive(word, word.text, _most(unit)), unit

    def unit(self, word: _Word, text: str) -> DoseUnit:
        unit = _UNIT_OF.get(text.lower())
        if unit is None or unit in ("AUC", "Gy", "%"):
            known = ", ".join(one for one in _UNITS if one not in ("AUC", "Gy", "%"))
            self.fail(word, f"expected a unit of dose: {known} (or AUC before the number)")
        return unit

    def route(self) -> str:
        word = self.take(f"a route: {', '.join(ROUTES)}")
        if word.lower in _ROUTE_OF:
            return _ROUTE_OF[word.lower]
        near = nearest(word.text, ROUTES, 1)
        return self.fail(
            word, f"expected a route: {', '.join(ROUTES)}" + (f"; did you mean {near[0]}?" if near else "")
        )

    def infusion(self) -> float:
        if not self.skip("over"):
            return 0.0
        number = self.take("a time after `over`, as in `over 60 min`")
        if glued := _NUMBER_UNIT.fullmatch(number.text):
            length, unit, word = self.positive(number, glued.group(1)), glued.group(2), number
        else:
            length, word = self.positive(number, number.text), self.take("min or h after the time")
            unit = word.text
        if unit.lower() in ("min", "minutes"):
            return length
        if unit.lower() in ("h", "hours", "hour"):
            return 60.0 * length
        return self.fail(word, "expected min or h")

    def days(self) -> tuple[_Word | None, tuple[int, ...]]:
        word = self.peek()
        if word is None or not _DAYS.match(word.text):
            return None, (1,)
        self.next += 1
        days: set[int] = set()
        for part in word.text[1:].split(","):
            first, _, last = part.lower().removeprefix("d").partition("-")
            low = self.whole(word, first, _MOST_DAYS)
            high = self.whole(word, last.removeprefix("d"), _MOST_DAYS) if last else low
            if low > high:
                self.fail(word, f"days {low}-{high} run backwards")
            days.update(range(low, high + 1))
        return word, tuple(sorted(days))

    def phases(self) -> tuple[Phase, ...]:
        phases = [self.phase()]
        while (then := self.peek()) is not None and then.lower == "then":
            if phases[-1].cycles is None:
                self.fail(then, "`then` needs a number of cycles before it, as in `q4w x 7 then q12w`")
            self.next += 1
            phases.append(self.phase())
        return tuple(phases)

    def phase(self) -> Phase:
        word = self.take("an interval: q2w (weeks), q21d (days), daily or once")
        if word.lower == "once":
            return Phase(1.0, 1)
        if word.lower[0] in "x×":
            self.fail(word, "says how many cycles, but not how long one is; write the interval first, as in `q3w x 6`")
        return Phase(self.interval(word), self.cycles())

    def interval(self, word: _Word) -> float:
        if word.lower == "daily":
            return 1.0
        match = _INTERVAL.fullmatch(word.text)
        if match is None:
            self.fail(word, "expected an interval: q2w (weeks), q21d (days), q8h (hours), daily or once")
        count = int(match.group(1)[:9])
        days = {"w": _DAYS_PER_WEEK * count, "d": count, "h": count / 24}[match.group(2).lower()]
        if not 1 / 24 <= days <= _MOST_DAYS:
            self.fail(word, f"the interval must be from 1 to {_MOST_DAYS} days, or some hours")
        return float(days)

    def cycles(self) -> int | None:
        word = self.peek()
        if word is None or word.lower[0] not in "x×":
            return None
        self.next += 1
        if len(word.text) > 1:
            return self.whole(word, word.text[1:], _MOST_CYCLES)
        number = self.take("a number of cycles, as in `x 6`")
        return self.whole(number, number.text, _MOST_CYCLES)

    def start(self) -> float:
        said = self.peek()
        if said is None or said.lower not in ("from", "at"):
            return 0.0
        self.next += 1
        unit = self.take(f"`week` or `day` after `{said.lower}`")
        if unit.lower not in ("week", "day"):
            self.fail(unit, f"expected `week` or `day`, as in `{said.lower} week 6`")
        number = self.take(f"a number, as in `{said.lower} week 6`")
        if not _NUMBER.fullmatch(number.text):
            self.fail(number, f"expected a number, as in `{said.lower} week 6`")
        day = float(number.text) * (_DAYS_PER_WEEK if unit.lower == "week" else 1)
        if day > _MOST_DAYS:
            self.fail(number, f"a regimen starts within {_MOST_DAYS} days")
        return day

    def positive(self, word: _Word, text: str, most: float = _MOST_AMOUNT) -> float:
        if not _NUMBER.fullmatch(text):
            self.fail(word, "expected a number above 0")
        value = float(text)
        if not 0 < value <= most:
            self.fail(word, f"must be above 0 and at most {most:g}")
        return value

    def whole(self, word: _Word, text: str, most: int) -> int:
        if not (text.isascii() and text.isdigit()) or len(text) > 9 or not 1 <= int(text) <= most:
            self.fail(word, f"expected a whole number from 1 to {most}")
        return int(text)

    def peek(self) -> _Word | None:
        return self.words[self.next] if self.next < len(self.words) else None

    def take(self, expected: str) -> _Word:
        word = self.peek()
        if word is None:
            end = len(self.text)
            raise RegimenError(
                self.text,
                end + 1 if end else 0,
                end + 2 if end else 1,
                f"the regimen ends too early: expected {expected}",
            )
        self.next += 1
        return word

    def skip(self, word: str) -> bool:
        found = (at := self.peek()) is not None and at.lower == word
        self.next += found
        return found

    def fail(self, word: _Word, message: str) -> NoReturn:
        raise RegimenError(self.text, word.start, word.end, message)


def _glued(text: str) -> re.Match[str] | None:
    """Match a number and its unit written together; 1e8 is a number alone."""
    return None if _NUMBER.fullmatch(text) else _NUMBER_UNIT.fullmatch(text)


def _most(unit: DoseUnit) -> float:
    """Return the largest sensible amount of a unit: living things are counted, drugs weighed."""
    return _MOST_COUNT if COUNTS[unit.partition("/")[0]][0] not in ("mg", "Gy", "%") else _MOST_AMOUNT
