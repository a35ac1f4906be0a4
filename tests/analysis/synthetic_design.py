"""A design and published rows shaped like MAPS2, written out so that tests do not depend on the catalogue's data."""

from __future__ import annotations

import dataclasses
from typing import Any

from mesotrial.catalogue.design import Arm, Continuous, Design, Population, Randomisation, Scans
from mesotrial.catalogue.evidence import PublishedResult
from mesotrial.catalogue.regimen import parse_regimen

__all__ = ["MAPS2", "published_row"]

_ANY = Continuous(median=70.0, low=30.0, high=200.0, sd=8.0)
_POPULATION = Population(
    age_years=_ANY, weight_kg=_ANY, height_cm=_ANY, albumin_g_per_l=_ANY, ldh_u_per_l=_ANY, egfr_ml_per_min=_ANY,
    female=0.22, epithelioid=0.82, ecog_ge1=0.65, pdl1_ge1=0.41, sources={},
)  # fmt: skip

_NIVOLUMAB = parse_regimen("nivolumab 3 mg/kg IV over 60 min q2w x 52")
_IPILIMUMAB = parse_regimen("ipilimumab 1 mg/kg IV over 90 min q6w x 17")

MAPS2 = Design(
    name="maps2",
    title="MAPS2 (IFCT-1501): nivolumab, or nivolumab with ipilimumab, in relapsed pleural mesothelioma",
    line="relapsed",
    population=_POPULATION,
    arms=(
        Arm("nivo", "Nivolumab", 63, (_NIVOLUMAB,), max_treatment_days=730.0),
        Arm("nivo+ipi", "Nivolumab + ipilimumab", 62, (_NIVOLUMAB, _IPILIMUMAB), max_treatment_days=730.0),
    ),
    randomisation=Randomisation((1, 1), ("histology",), 4),
    scans=Scans("12", assessor="bicr", missed_rate=0.03),
    follow_up_months=24.0,
    registry="NCT02716272",
    evidence_trial="MAPS2 (IFCT-1501)",
)


def published_row(arm: str, code: str, **given: Any) -> PublishedResult:
    """A published row; text fields are empty and numbers unknown unless given."""
    blank: dict[str, Any] = {
        field.name: "" if field.type == "str" else None for field in dataclasses.fields(PublishedResult)
    }
    usual: dict[str, Any] = {
        "row": 2, "trial": "MAPS2 (IFCT-1501)", "role": "validation", "unit": "%", "subgroup_code": "all", "scored": True, "confidence": "seen",
        "arm": arm, "code": code, "endpoint": code, "source": "Somebody A et al. A Journal 2019;1:2", "doi": "10.1000/182",
    }  # fmt: skip
    return PublishedResult(**blank | usual | given)
