"""A `Design` as YAML again."""

from __future__ import annotations

import io
import sys
from dataclasses import fields
from typing import Any

from mesotrial.catalogue import design as d
from mesotrial.catalogue.regimen import Regimen

__all__ = ["design_yaml"]

_WIDTH = 140
_ORDER = (
    "name", "title", "registry", "evidence_trial", "line", "population", "lead_in", "arms", "randomisation", "scans", "censoring", "endpoints",
    "accrual_months", "follow_up_months", "analysis", "biology", "notes", "sources",
)  # fmt: skip


def design_yaml(design: d.Design) -> str:
    """Write every field of the design, defaults too, so that the text means the same in any version."""
    data = {name: _plain(value) for name in _ORDER if (value := getattr(design, name)) is not None}
    text = _dumped(data, _WIDTH)
    # Where a folded line has an escape beside a space, as of a tab, ruamel.yaml makes two spaces of the one; unfolded it does not.
    return _dumped(data, sys.maxsize) if "\\" in text else text


def _dumped(data: dict[str, Any], width: int) -> str:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = width
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _plain(value: Any) -> Any:
    """Turn dataclasses and tuples into what YAML has; a regimen into its text; leave out what is None or empty."""
    if isinstance(value, Regimen):
        return value.text
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(part) for name, part in parts.items() if part is not None and part != ()}
    return value
