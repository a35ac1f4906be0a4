"""Standard regimens: how a drug or a combination is given where nobody says otherwise, as labels and trials give it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from mesotrial.catalogue._sources import packaged, packaged_names
from mesotrial.catalogue.errors import CatalogueError, RegimenError, nearest
from mesotrial.catalogue.evidence import read_table
from mesotrial.catalogue.names import canonical, entries
from mesotrial.catalogue.regimen import Regimen, parse_regimen

__all__ = ["Therapy", "runnable_regimen", "therapy_from_text"]


@dataclass(frozen=True)
class Therapy:
    """A treatment as a user names it.

    ``regimens`` are what is given, no dose on day ``max_treatment_days`` or later; ``source`` says where dose and schedule come from.
    """

    text: str
    name: str
    regimens: tuple[Regimen, ...]
    max_treatment_days: float | None
    source: str

    @property
    def drugs(self) -> tuple[str, ...]:
        """The drugs, each once, in the order written."""
        return tuple(dict.fromkeys(regimen.drug for regimen in self.regimens))


def therapy_from_text(text: str) -> Therapy:
    """Read a treatment: names of drugs joined by +, a therapy of the catalogue, or full regimens joined by ``+``.

    A name alone stands for the regimen that a label or a trial gives; so does a combination that the catalogue knows as one.

    Raises:
        RegimenError: a name or a regimen that cannot be read, with a caret under it.
        CatalogueError: a drug that cannot be simulated, or an empty text.
    """
    plain = " ".join(text.split())
    parts = [part.strip() for part in plain.split(" + " if " + " in plain else "+")]
    if not all(parts):
        raise CatalogueError(
            f"cannot read the treatment {text!r}: write names of drugs joined by +, such as 'nivolumab + ipilimumab'"
        )
    named = [_drug_named(part) for part in parts]
    if all(named):
        return _standard(plain, tuple(dict.fromkeys(str(drug) for drug in named)))
    if len(parts) == 1 and (therapy := canonical(plain, "therapy")) in _table():
        regimens, until, source = _table()[str(therapy)]
        return Therapy(plain, str(therapy), regimens, until, source)
    regimens = tuple(
        _alone(str(drug))[0] if drug else _written(plain, part) for drug, part in zip(named, parts, strict=True)
    )
    name = " + ".join(dict.fromkeys(regimen.drug for regimen in regimens))
    return Therapy(plain, name, regimens, None, "as written")


def runnable_regimen(text: str) -> Regimen:
    """Read a regimen of a drug that can be simulated; the drug goes by its canonical name.

    Raises:
        RegimenError: a regimen that cannot be read, with a caret under the word.
    """
    regimen = parse_regimen(text)
    drugs = packaged_names("drugs")
    name = canonical(regimen.drug, "drug")
    if name in drugs:
        return replace(regimen, drug=name)
    if name is None:
        near = nearest(regimen.drug, drugs, 1)
        message = f"no drug is called {regimen.drug!r}; " + (
            f"did you mean {near[0]}?" if near else f"known: {', '.join(drugs)}"
        )
    else:
        message = f"{name} is in the catalogue but cannot be simulated yet; drugs that can: {', '.join(drugs)}"
    raise RegimenError(regimen.text, 0, len(regimen.drug), message)


def _drug_named(part: str) -> str | None:
    """Give the drug that a part is the name of, if it is one that can be simulated."""
    name = canonical(part, "drug")
    return name if name in packaged_names("drugs") else None


def _standard(text: str, drugs: tuple[str, ...]) -> Therapy:
    name = " + ".join(drugs)
    for regimens, until, source in _table().values():
        if len(drugs) > 1 and {regimen.drug for regimen in regimens} == set(drugs):
            return Therapy(text, name, regimens, until, source)
    if len(drugs) == 1:
        regimen, until, source = _alone(drugs[0])
        return Therapy(text, name, (regimen,), until, source)
    found = [_alone(drug) for drug in drugs]
    # Where each has its own end, the combination has none in common; drugs with a number of cycles end by themselves.
    ends = [until for _, until, _ in found if until is not None]
    return Therapy(
        text,
        name,
        tuple(regimen for regimen, _, _ in found),
        min(ends, default=None),
        "no trial or label of this combination is known here: each drug as it is given otherwise",
    )


def _alone(drug: str) -> tuple[Regimen, float | None, str]:
    if drug not in _table():
        known = packaged("drugs", drug)[0].data.get("regimens") or ()
        if known:  # the first that the drug's own file gives
            return runnable_regimen(known[0]), None, f"as {drug} was given where it was tried; see its sources"
        raise CatalogueError(f"no standard regimen is known for {drug}; write one, such as '{drug} 200 mg IV q3w'")
    (regimen, *_), until, source = _table()[drug]
    return regimen, until, source


def _written(whole: str, part: str) -> Regimen:
    """Read one part as a regimen; an error points into the whole text."""
    offset = whole.index(part)
    words = part.split(" ")
    if not any(character.isdigit() for character in part) and len(words) <= 3:
        known = [*(entry.name for entry in entries("drug") if entry.runnable), *_table()]
        listed = canonical(part, "drug")
        near = nearest(part, known, 1)
        if listed:
            message = f"{listed} is in the catalogue but cannot be simulated yet"
        else:
            message = f"no drug or treatment is called {part!r}; " + (
                f"did you mean {near[0]}?" if near else "`mesotrial list drugs` shows what there is"
            )
        raise RegimenError(whole, offset, offset + len(part), message)
    try:
        return runnable_regimen(part)
    except RegimenError as error:
        raise RegimenError(whole, offset + error.start, offset + error.end, error.message) from None


@cache
def _table() -> dict[str, tuple[tuple[Regimen, ...], float | None, str]]:
    """Regimens, longest treatment in days and source by the name of a drug, a combination or a therapy."""
    return {
        row["therapy"]: (
            tuple(runnable_regimen(text) for text in row["regimens"].split(";")),
            float(row["max_treatment_days"]) if row["max_treatment_days"] else None,
            row["source"],
        )
        for row in read_table("standard_regimens.csv")
    }
