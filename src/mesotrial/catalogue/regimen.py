"""Regimens as people write them: ``nivolumab 3 mg/kg IV over 60 min q2w x 52``.

Grammar, words in this order, case ignored::

    DRUG DOSE ROUTE [over N min|h] [dDAYS] qNw|qNd|daily|once [x N] [then qNw|qNd [x N]]... [from week|day N]

DOSE is ``3 mg/kg``, ``240 mg``, ``75 mg/m2`` or ``AUC5``; a placebo has none. DAYS are days of a cycle counted from 1, as ``d1``, ``d1,8,15`` or
``d1-21``. ``x N`` counts cycles; without it the phase goes on until treatment ends. ``from week 6`` starts on day 42 after the start of treatment.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, NoReturn, get_args

from mesotrial.catalogue.errors import RegimenError, nearest

__all__ = ["ROUTES", "DoseUnit", "Phase", "Regimen", "parse_regimen"]

DoseUnit = Literal["mg", "mg/kg", "mg/m2", "AUC"]
ROUTES = ("IV", "PO", "SC", "IM", "intrapleural", "intravesical", "topical")

_UNITS: tuple[DoseUnit, ...] = get_args(DoseUnit)
_ROUTE_OF = {route.lower(): route for route in ROUTES}
_UNIT_OF: dict[str, DoseUnit] = {unit.lower(): unit for unit in _UNITS} | {"mg/m²": "mg/m2", "mg/m^2": "mg/m2"}
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_AUC = re.compile(r"auc(\d+(?:\.\d+)?)?", re.ASCII | re.IGNORECASE)
_INTERVAL = re.compile(r"q(\d+)([wd])", re.ASCII | re.IGNORECASE)
_NUMBER_UNIT = re.compile(r"(\d+(?:\.\d+)?)([a-z/].*)", re.ASCII | re.IGNORECASE)
_DAYS = re.compile(r"d\d", re.ASCII | re.IGNORECASE)
_NOT_YET = ("surgery", "radiation", "radiotherapy")
_A_DOSE = "a dose, such as 3 mg/kg, 240 mg, 75 mg/m2 or AUC5"
_DAYS_PER_WEEK = 7
# Far beyond any protocol; they keep a mistyped number from filling the memory.
_MOST_DAYS, _MOST_CYCLES, _MOST_AMOUNT = 3660, 10_000, 1e6


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

    ``amount`` is in ``unit`` (0 for a placebo without a stated dose), ``infusion_minutes`` is 0 for a bolus, ``days_in_cycle`` count from 1,
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
        amount, unit = self.dose(drug)
        route = self.route()
        minutes = self.infusion()
        days_word, days = self.days()
        phases = self.phases()
        shortest = min(phase.cycle_days for phase in phases)
        if days_word and max(days) > shortest:
            self.fail(days_word, f"day {max(days)} lies outside the cycle of {shortest:g} days")
        start_day = self.start()
        if (left := self.peek()) is not None:
            self.fail(
                left,
                "nothing more was expected here; the order is: drug, dose, route, over, days, interval, x cycles, then, from",
            )
        return Regimen(self.text, drug, amount, unit, route, minutes, days, phases, start_day)

    def drug(self) -> str:
        first = self.take("a drug, as in `nivolumab 3 mg/kg IV q2w`")
        if first.lower in _NOT_YET:
            self.fail(first, f"{first.lower} cannot be written as a regimen yet; leave it out")
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
        if glued := _NUMBER_UNIT.fullmatch(word.text):
            return self.positive(word, glued.group(1)), self.unit(word, glued.group(2))
        amount = self.positive(word, word.text)
        unit_word = self.take(f"a unit after {word.text}: {', '.join(_UNITS[:3])}")
        return amount, self.unit(unit_word, unit_word.text)

    def unit(self, word: _Word, text: str) -> DoseUnit:
        unit = _UNIT_OF.get(text.lower())
        if unit is None or unit == "AUC":
            self.fail(word, f"expected a unit of dose: {', '.join(_UNITS[:3])} (or AUC before the number)")
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
            self.fail(word, "expected an interval: q2w (weeks), q21d (days), daily or once")
        days = int(match.group(1)[:9]) * (_DAYS_PER_WEEK if match.group(2).lower() == "w" else 1)
        if not 1 <= days <= _MOST_DAYS:
            self.fail(word, f"the interval must be from 1 to {_MOST_DAYS} days")
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
        if not self.skip("from"):
            return 0.0
        unit = self.take("`week` or `day` after `from`")
        if unit.lower not in ("week", "day"):
            self.fail(unit, "expected `week` or `day`, as in `from week 6`")
        number = self.take("a number, as in `from week 6`")
        if not _NUMBER.fullmatch(number.text):
            self.fail(number, "expected a number, as in `from week 6`")
        day = float(number.text) * (_DAYS_PER_WEEK if unit.lower == "week" else 1)
        if day > _MOST_DAYS:
            self.fail(number, f"a regimen starts within {_MOST_DAYS} days")
        return day

    def positive(self, word: _Word, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            self.fail(word, "expected a number above 0")
        value = float(text)
        if not 0 < value <= _MOST_AMOUNT:
            self.fail(word, f"must be above 0 and at most {_MOST_AMOUNT:g}")
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
