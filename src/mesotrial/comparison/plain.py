"""A comparison as plain values, for JSON and for pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mesotrial.comparison.outcomes import CURVE_MONTHS

if TYPE_CHECKING:
    from mesotrial.comparison.comparing import Comparison, Option

__all__ = ["certainty", "comparison_dict"]


def comparison_dict(comparison: Comparison) -> dict[str, Any]:
    """Return the object "mesotrial/comparison/1"."""
    from mesotrial.comparison.comparing import SCHEMA
    from mesotrial.report import CONTEXT_OF_USE

    person = comparison.person
    return {
        "schema": SCHEMA,
        "patient": {
            "text": person.text,
            "line": person.line,
            **person.continuous,
            **person.groups,
            **({} if person.tumour_mm is None else {"tumour_mm": person.tumour_mm}),
            "notes": list(person.notes),
        },
        "population": comparison.population,
        "people": comparison.people,
        "failed": comparison.failed,
        "seed": comparison.seed,
        "extrapolation": list(comparison.extrapolation),
        "options": [_option(option) for option in comparison.options],
        "differences": [asdict(one) for one in comparison.differences],
        "difference_bands": [asdict(one) for one in comparison.difference_bands],
        "certainty": list(certainty(comparison)),
        "context_of_use": CONTEXT_OF_USE,
    }


def certainty(comparison: Comparison) -> Iterable[str]:
    """Say how sure the model is, and of what it is not."""
    yield (
        f"Intervals hold 90 %: the spread between trials of one treatment, and {comparison.people:,} virtual people"
        + (
            f", and what is unknown of the model's parameters ({comparison.posterior_draws} draws)."
            if comparison.posterior_draws
            else ". What is unknown of the model's parameters is not in them: they are too narrow by an unknown amount."
        )
    )
    yield (
        "Who is helped by one option and not by another rests on the model alone: no trial can give one person two treatments."
    )
    if any(option.exploratory for option in comparison.options):
        yield (
            "Not known means that no trial in mesothelioma has shown what the treatment does. The ranges hold everything that its effect might be: "
            "from nothing of what the laboratory or other cancers suggest to the most that is thought possible; no value in a range is likelier than another."
        )
    if comparison.failed:
        yield f"{comparison.failed} of {comparison.people:,} people are left out: their simulation failed."


def _option(option: Option) -> dict[str, Any]:
    nearest, therapy = option.nearest, option.therapy
    return {
        "therapy": therapy.text,
        "drugs": list(therapy.drugs),
        "regimens": [regimen.text for regimen in therapy.regimens],
        "max_treatment_days": therapy.max_treatment_days,
        "source": therapy.source,
        "exploratory": list(option.exploratory),
        "known": not option.exploratory,
        "extrapolation": list(option.extrapolation),
        "published": None
        if nearest is None
        else {
            "trial": nearest.trial,
            "arm": nearest.arm,
            "label": nearest.label,
            "line": nearest.line,
            "nearness": nearest.words,
            "rows": [dict(row) for row in nearest.rows],
        },
        "outcomes": [asdict(one) for one in option.outcomes],
        "curves": {"months": list(CURVE_MONTHS), **{name: list(values) for name, values in option.curves.items()}}
        if option.curves
        else None,
        "bands": [asdict(one) for one in option.bands],
        "curve_bands": {
            "months": list(CURVE_MONTHS),
            **{name: {"lo90": list(low), "hi90": list(high)} for name, (low, high) in option.curve_bands.items()},
        }
        if option.curve_bands
        else None,
    }
