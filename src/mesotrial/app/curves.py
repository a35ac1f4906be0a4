"""Curves of a comparison: of 100 people, how many are left, month by month, with the interval at each year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import escape

__all__ = ["small_course", "survival_curves"]

_WIDE, _TALL, _LEFT, _RIGHT, _TOP, _BOTTOM = 520.0, 300.0, 44.0, 12.0, 34.0, 34.0
_DASHES = ("", "9 4", "3 3", "9 4 2 4")
_TITLES = {"OS": "Alive, of 100 people", "PFS": "Alive with the disease held back, of 100 people"}


def survival_curves(options: Sequence[Mapping[str, Any]], code: str) -> str:
    """Return OS or PFS of the options as SVG, with 90 % bands; of an option that is not known the band over all that its effect might be, and no curve."""
    last = 36.0

    def across(month: float) -> float:
        return _LEFT + (_WIDE - _LEFT - _RIGHT) * month / last

    def down(share: float) -> float:
        return _TOP + (_TALL - _TOP - _BOTTOM) * (1 - share)

    parts = [f'<text x="2" y="16" class="title">{_TITLES[code]}</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{down(share):.1f}" y2="{down(share):.1f}" class="grid"/>'
        )
        parts.append(f'<text x="{_LEFT - 7}" y="{down(share) + 4:.1f}" class="tick end">{100 * share:.0f}</text>')
    for month in range(0, 37, 12):
        anchor = "end" if month == last else "middle"
        words = f"{month} months" if month == last else str(month)
        parts.append(
            f'<text x="{across(month):.1f}" y="{_TALL - 12}" text-anchor="{anchor}" class="tick">{words}</text>'
        )
    for place, option in enumerate(options):
        if strip := option.get("curve_bands"):
            parts.append(_strip(strip["months"], strip[code]["lo90"], strip[code]["hi90"], place, across, down))
        if not option["curves"]:
            continue
        points = zip(option["curves"]["months"], option["curves"][code], strict=True)
        path = "M" + "L".join(f"{across(month):.1f} {down(share):.1f}" for month, share in points)
        dashes = f' stroke-dasharray="{_DASHES[place % 4]}"' if place % 4 else ""
        band = _band(option, code, across, down)
        parts.append(f'<path d="{band}" class="area" style="fill: var(--arm-{place})"/>' if band else "")
        parts.append(f'<path d="{path}" class="curve thick" style="stroke: var(--arm-{place})"{dashes}/>')
    label = escape(f"{_TITLES[code]}, over three years, with {', '.join(option['therapy'] for option in options)}")
    return (
        f'<svg class="curves" role="img" aria-label="{label}" viewBox="0 0 {_WIDE:g} {_TALL:g}">{"".join(parts)}</svg>'
    )


def _strip(
    months: Sequence[float], low: Sequence[float], high: Sequence[float], place: int, across: Any, down: Any
) -> str:
    """Return an area between two curves, each drawn thin."""
    edges = [
        [f"{across(month):.1f} {down(share):.1f}" for month, share in zip(months, shares, strict=True)]
        for shares in (low, high)
    ]
    area = "M" + "L".join([*edges[1], *reversed(edges[0])]) + "Z"
    lines = "".join(
        f'<path d="M{"L".join(edge)}" class="curve edge" style="stroke: var(--arm-{place})"/>' for edge in edges
    )
    return f'<path d="{area}" class="area" style="fill: var(--arm-{place})"/>{lines}'


def _band(option: Mapping[str, Any], code: str, across: Any, down: Any) -> str:
    """Return the 90 % band as a path, straight between the years at which it is known and closed at the start, where everybody is alive."""
    known = sorted(
        (one["time_months"], one["lo90"], one["hi90"])
        for one in option["outcomes"]
        if one["code"] == f"{code}_RATE" and one["time_months"]
    )
    if not known:
        return ""
    curve = dict(zip(option["curves"]["months"], option["curves"][code], strict=True))
    marks = [(0.0, 0.0, 0.0), *((month, low - curve[month], high - curve[month]) for month, low, high in known)]
    upper, lower = [], []
    for month, share in curve.items():
        before = max((mark for mark in marks if mark[0] <= month), key=lambda mark: mark[0])
        after = min((mark for mark in marks if mark[0] >= month), key=lambda mark: mark[0], default=before)
        part = (month - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0.0
        low, high = (before[i] + part * (after[i] - before[i]) for i in (1, 2))
        lower.append(f"{across(month):.1f} {down(max(share + low, 0.0)):.1f}")
        upper.append(f"{across(month):.1f} {down(min(share + high, 1.0)):.1f}")
    return "M" + "L".join([*upper, *reversed(lower)]) + "Z"


def small_course(name: str, time: Sequence[float], values: Sequence[float | None]) -> str:
    """Return one quantity of a model over time as SVG; where it is not finite the line breaks."""
    wide, tall, left, top, bottom = 420.0, 190.0, 58.0, 30.0, 28.0
    known = [value for value in values if value is not None] or [0.0]
    low, high = min(*known, 0.0), max(*known, 0.0)
    high += 1.0 if high == low else 0.0
    last = time[-1] or 1.0

    def down(value: float) -> float:
        return top + (tall - top - bottom) * (1 - (value - low) / (high - low))

    path, pen = "", "M"
    for when, value in zip(time, values, strict=True):
        if value is None:
            pen = "M"
        else:
            path += f"{pen}{left + (wide - left - 10) * when / last:.1f} {down(value):.1f}"
            pen = "L"
    marks = "".join(
        f'<line x1="{left}" x2="{wide - 10}" y1="{down(at):.1f}" y2="{down(at):.1f}" class="grid"/>'
        f'<text x="{left - 7}" y="{down(at) + 4:.1f}" class="tick end">{at:.3g}</text>'
        for at in dict.fromkeys((low, 0.0, high))
    )
    ends = f'<text x="{left}" y="{tall - 8}" class="tick">0</text><text x="{wide - 10}" y="{tall - 8}" class="tick end">{last:g}</text>'
    shown = escape(name if len(name) <= 48 else f"{name[:47]}…")
    label = escape(
        f"{name} over time, from {known[0]:.3g} to {known[-1]:.3g}, between {min(known):.3g} and {max(known):.3g}"
    )
    return (
        f'<svg class="curves" role="img" aria-label="{label}" viewBox="0 0 {wide:g} {tall:g}"><text x="2" y="16" class="title">{shown}</text>'
        f'{marks}{ends}<path d="{path}" class="curve" style="stroke: var(--c-0)"/></svg>'
    )
