"""Compiled kernels on disk, by content.

A kernel is a folder `kernels/<key>/` with the generated source, its layout and the object code of its functions. It is built
in a scratch folder and renamed into place whole; a manifest of checksums tells a damaged folder, which is built anew.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesotrial.engine.machine_code import FUNCTIONS, MachineCode, compiled

_MANIFEST = "manifest.json"
_SCRATCH = ".building-"
_SCRATCH_SECONDS = 86_400.0  # no kernel takes that long


def cache_folder() -> Path:
    """Return the folder of compiled kernels: MESOTRIAL_CACHE_DIR, or the user's cache directory."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("MESOTRIAL_CACHE_DIR") or user_cache_dir("mesotrial")) / "kernels"


def load_or_build(
    key: str, write: Callable[[], tuple[str, dict[str, Any]]]
) -> tuple[MachineCode, dict[str, Any], bool]:
    """Return the machine code of `key`, its layout, and whether it came from the disk.

    `write` returns the source and the layout; it is called only when no sound copy is on disk.
    """
    folder = cache_folder() / key
    if _is_sound(folder):
        try:
            return *_load(folder), True
        except Exception:  # whatever a damaged cache raises, building anew is the cure
            pass
    source, layout = write()
    return *_build(folder, source, layout), False


def _build(folder: Path, source: str, layout: dict[str, Any]) -> tuple[MachineCode, dict[str, Any]]:
    """Build in the cache, or where that cannot be written or is full, in memory alone."""
    code, facts = compiled(source)
    layout = {**layout, "machine_code": facts}
    with contextlib.suppress(OSError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder.parent))
        try:
            _write(scratch, source, layout, code)
            if folder.exists() and not _is_sound(folder):
                shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # another process was first
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return MachineCode(code, facts), layout


def _write(scratch: Path, source: str, layout: dict[str, Any], code: dict[str, bytes]) -> None:
    (scratch / "kernel.py").write_text(source, encoding="utf-8")
    (scratch / "layout.json").write_text(json.dumps(layout), encoding="utf-8")
    for name, part in code.items():
        (scratch / f"{name}.o").write_bytes(part)
    (scratch / _MANIFEST).write_text(json.dumps(_checksums(scratch)), encoding="utf-8")


def _sweep(parent: Path) -> None:
    """Remove what processes that were killed left half built."""
    for scratch in parent.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):
            if time.time() - scratch.stat().st_mtime > _SCRATCH_SECONDS:
                shutil.rmtree(scratch, ignore_errors=True)


def _load(folder: Path) -> tuple[MachineCode, dict[str, Any]]:
    layout: dict[str, Any] = json.loads((folder / "layout.json").read_text(encoding="utf-8"))
    code = {name: (folder / f"{name}.o").read_bytes() for name in FUNCTIONS}
    return MachineCode(code, layout["machine_code"]), layout


def _checksums(folder: Path) -> dict[str, str]:
    kept = (p for p in sorted(folder.iterdir()) if p.name != _MANIFEST)
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


def _is_sound(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")) == _checksums(folder))
    except (OSError, ValueError):
        return False
