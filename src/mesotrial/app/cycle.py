"""The immune cycle as a small drawing, with the steps that a treatment acts on lit.

The steps are those of Chen & Mellman, Immunity 2013;39:1-10, in plain words; growth of the tumour stands in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from markupsafe import escape

__all__ = ["STEPS", "Step", "cycle_drawing", "steps_of"]

Step = Literal["release", "present", "prime", "travel", "enter", "recognise", "kill", "growth"]
STEPS: Mapping[Step, tuple[str, str]] = {
    "release": ("Cancer cells die", "and release what the immune system can recognise"),
    "present": ("Dendritic cells carry it", "to the lymph node"),
    "prime": ("T cells are trained", "in the lymph node; CTLA-4 is a brake here"),
    "travel": ("T cells travel", "through the blood"),
    "enter": ("T cells enter", "the tumour through its vessels"),
    "recognise": ("T cells recognise", "the cancer cells"),
    "kill": ("T cells kill", "cancer cells; PD-1 is a brake here"),
    "growth": ("The tumour", "grows, and feeds on its own blood vessels"),
}
# By what a drug acts on, or where its own dynamics act: cells, viruses, radiation, the knife.
_BY_EFFECT: Mapping[str, tuple[Step, ...]] = {
    "pd1": ("kill",),
    "pdl1": ("kill",),
    "ctla4": ("prime",),
    "cytotoxic": ("release", "growth"),
    "vascular": ("growth",),
    "adcc": ("recognise", "kill"),
    "imid": ("prime", "kill"),
    "innate": ("present",),
    "interferon_gamma": ("kill", "growth"),
    "interleukin2": ("prime", "kill"),
    "lymphodepletion": ("travel",),
    "regulatory_depletion": ("kill",),
    "vaccine": ("present", "prime"),
    "cells": ("travel", "enter", "recognise", "kill"),
    "virus": ("release", "present"),
    "radiation": ("release", "growth"),
    "surgery": ("growth",),
}
# What entries without a drug file act on: the first word found decides.
_BY_WORD: tuple[tuple[str, tuple[Step, ...]], ...] = (
    ("pd-1/pd-l1", ("kill",)), ("pd-1", ("kill",)), ("pd-l1", ("kill",)), ("pd1", ("kill",)), ("ctla", ("prime",)),
    ("checkpoint", ("prime", "kill")), ("vaccine", ("present", "prime")), ("dendritic", ("present", "prime")),
    ("car-t", ("recognise", "kill")), ("t-cell", ("travel", "kill")), ("cell therapy", ("travel", "kill")), ("adoptive", ("travel", "kill")),
    ("virotherapy", ("release", "present")), ("virus", ("release", "present")), ("vaccinia", ("release", "present")),
    ("interferon", ("present", "kill")), ("il-2", ("prime", "kill")), ("il2", ("prime", "kill")), ("cytokine", ("prime", "kill")),
    ("bcg", ("present",)), ("imiquimod", ("present",)), ("innate", ("present",)), ("tlr", ("present",)),
    ("domide", ("prime", "kill")), ("immunomodulat", ("prime", "kill")), ("amatuximab", ("recognise", "kill")), ("adcc", ("recognise", "kill")),
    ("antibody", ("recognise", "kill")), ("serum", ("recognise",)), ("pegargiminase", ("growth",)), ("surgery", ("growth",)),
    ("radiotherapy", ("release", "growth")), ("radiation", ("release", "growth")), ("treg", ("kill",)),
)  # fmt: skip


def steps_of(effects: Iterable[str], words: str) -> tuple[Step, ...]:
    """Return the steps that a treatment acts on: by the effects of its drugs, else by the words that describe it."""
    found: dict[Step, None] = {}
    for effect in effects:
        found.update(dict.fromkeys(_BY_EFFECT.get(effect, ())))
    if not found:
        found.update(dict.fromkeys(next((steps for word, steps in _BY_WORD if word in words.lower()), ())))
    return tuple(step for step in STEPS if step in found)


def cycle_drawing(lit: Collection[Step]) -> str:
    """Return the cycle as SVG whose label names the steps that are lit."""
    names = [STEPS[step][0] for step in STEPS if step in lit]
    label = (
        f"The immune cycle; this acts where: {'; '.join(names)}"
        if names
        else "The immune cycle; where this acts is not known"
    )
    parts = []
    ring = [step for step in STEPS if step != "growth"]
    for place, step in enumerate(ring):
        angle = 2 * math.pi * place / len(ring) - math.pi / 2
        x, y = 170 + 104 * math.cos(angle), 150 + 104 * math.sin(angle)
        ahead = 2 * math.pi * (place + 0.5) / len(ring) - math.pi / 2
        ax, ay, turn = 170 + 104 * math.cos(ahead), 150 + 104 * math.sin(ahead), math.degrees(ahead) + 90
        parts.append(
            f'<path class="way" d="M-4 -4L4 0L-4 4Z" transform="translate({ax:.1f} {ay:.1f}) rotate({turn:.1f})"/>'
        )
        parts.append(f'<circle class="step{" lit" if step in lit else ""}" cx="{x:.1f}" cy="{y:.1f}" r="17"/>')
        parts.append(
            f'<text class="digit{" lit" if step in lit else ""}" x="{x:.1f}" y="{y + 5:.1f}">{place + 1}</text>'
        )
    middle = " lit" if "growth" in lit else ""
    parts.insert(0, '<circle class="ring" cx="170" cy="150" r="104"/>')
    parts.append(
        f'<circle class="step{middle}" cx="170" cy="150" r="44"/><text class="digit{middle}" x="170" y="155">Tumour</text>'
    )
    return f'<svg class="cycle" role="img" aria-label="{escape(label)}" viewBox="42 24 256 252">{"".join(parts)}</svg>'
