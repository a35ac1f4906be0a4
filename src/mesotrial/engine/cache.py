"""Compiled kernels on disk, by content.

A kernel is a folder `kernels/<key>/` with the generated source, its layout and Numba's machine code. It is built in a
scratch folder and renamed into place whole; a manifest of checksums tells a damaged folder, which is built anew.
"""

import atexit
import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

_MANIFEST = "manifest.json"
_SCRATCH = ".building-"
_SCRATCH_SECONDS = 86_400.0  # no kernel takes that long


def cache_folder() -> Path:
    """Return the folder of compiled kernels: MESOTRIAL_CACHE_DIR, or the user's cache directory."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("MESOTRIAL_CACHE_DIR") or user_cache_dir("mesotrial")) / "kernels"


def machine() -> list[str]:
    """Return what compiled code depends on beside its source: versions, and what the processor can do.

    The name of a processor is not enough, since a virtual machine may hide some of its instructions.
    """
    import llvmlite
    import numba
    from llvmlite import binding

    processor = [binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()]
    forced = [os.environ.get(f"NUMBA_CPU_{what}", "") for what in ("NAME", "FEATURES")]
    return [sys.version.split()[0], numba.__version__, llvmlite.__version__, *processor, *forced]


def load_or_build(key: str, write: Callable[[], tuple[str, dict[str, Any]]]) -> tuple[ModuleType, dict[str, Any], bool]:
    """Return the kernel module of `key`, its layout, and whether it came from the disk.

    `write` returns the source and the layout; it is called only when no sound copy is on disk.
    """
    folder = cache_folder() / key
    if _is_sound(folder):
        try:
            return _load(folder, key), _layout(folder), True
        except Exception:  # whatever a damaged cache raises, building anew is the cure
            pass
    source, layout = write()
    return *_build(folder, key, source, layout), False


def _build(folder: Path, key: str, source: str, layout: dict[str, Any]) -> tuple[ModuleType, dict[str, Any]]:
    """Build in the cache, or where that cannot be written or is full, for this process alone."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder.parent))
        try:
            module = _compiled(scratch, key, source, layout)
            if folder.exists() and not _is_sound(folder):
                shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # another process was first
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError:
        scratch = Path(tempfile.mkdtemp(prefix="mesotrial-kernel-"))
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        module = _compiled(scratch, key, source, layout)
    return module, layout


def _compiled(scratch: Path, key: str, source: str, layout: dict[str, Any]) -> ModuleType:
    (scratch / "kernel.py").write_text(source, encoding="utf-8")
    (scratch / "layout.json").write_text(json.dumps(layout), encoding="utf-8")
    module = _load(scratch, key)
    (scratch / _MANIFEST).write_text(json.dumps(_checksums(scratch)), encoding="utf-8")
    return module


def _sweep(parent: Path) -> None:
    """Remove what processes that were killed left half built."""
    for scratch in parent.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):
            if time.time() - scratch.stat().st_mtime > _SCRATCH_SECONDS:
                shutil.rmtree(scratch, ignore_errors=True)


def _load(folder: Path, key: str) -> ModuleType:
    spec = spec_from_file_location(f"mesotrial_kernel_{key}", folder / "kernel.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # Numba finds the globals of cached functions through their module
    spec.loader.exec_module(module)
    return module


def _layout(folder: Path) -> dict[str, Any]:
    layout: dict[str, Any] = json.loads((folder / "layout.json").read_text(encoding="utf-8"))
    return layout


def _checksums(folder: Path) -> dict[str, str]:
    kept = (
        p for p in sorted(folder.rglob("*")) if p.suffix in {".py", ".nbi", ".nbc", ".json"} and p.name != _MANIFEST
    )
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


def _is_sound(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")) == _checksums(folder))
    except (OSError, ValueError):
        return False
