"""Generated source to machine code, and machine code to functions.

Numba translates and optimises; what is kept is the object code of each function, which LLVM loads by itself. So a kernel from
the disk needs neither Numba nor any symbolic mathematics.
"""

import ctypes
import os
import re
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

FUNCTIONS = ("start", "observe", "advance")
_DONE = (0, -2)  # how Numba's functions say that they returned, or returned nothing


def machine() -> list[str]:
    """Return what compiled code depends on beside its source: versions, and what the processor can do."""
    from llvmlite import binding

    versions = [sys.version.split()[0], version("numba"), version("llvmlite")]
    return [*versions, binding.get_process_triple(), *_processor()]


def llvm(source: str) -> dict[str, tuple[str, str, list[tuple[str, int]]]]:
    """Return the name, the optimised LLVM text and the arguments (type, dimensions) of each function of a source."""
    space: dict[str, Any] = {"__name__": "mesotrial_kernel"}
    exec(compile(source, "kernel.py", "exec"), space)  # written by `codegen`, from names and numbers alone
    written = {}
    for name in FUNCTIONS:
        (compiled,) = space[name].overloads.values()
        kinds = [(str(getattr(kind, "dtype", kind)), getattr(kind, "ndim", 0)) for kind in compiled.signature.args]
        written[name] = compiled.fndesc.llvm_func_name, compiled.library.get_llvm_str(), kinds
    return written


def compiled(source: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the object code of each function of a generated source, and what `MachineCode` must know of them."""
    from llvmlite import binding

    written = llvm(source)
    target = _target_machine()
    code = {name: target.emit_object(binding.parse_assembly(text)) for name, (_, text, _) in written.items()}
    outside = {
        s for _, text, _ in written.values() for s in re.findall(r"^declare [^@]*@([\w.$]+)\(", text, re.MULTILINE)
    }
    symbols = {name: symbol for name, (symbol, _, _) in written.items()}
    kinds = {name: each for name, (_, _, each) in written.items()}
    return code, {
        "symbols": symbols,
        "kinds": kinds,
        "outside": sorted(s for s in outside if not s.startswith("llvm.")),
    }


class MachineCode:
    """The functions of a kernel. They release the interpreter lock while they run."""

    def __init__(self, code: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
        """Load what `compiled` returned."""
        from llvmlite import binding

        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine())
        if any(binding.address_of_symbol(name) is None for name in facts["outside"]):
            from numba.core.registry import cpu_target  # it tells LLVM where its own mathematical functions are

            cpu_target.target_context.refresh()
        self._kinds = facts["kinds"]
        for name in FUNCTIONS:
            self._engine.add_object_file(binding.object_file.ObjectFileRef.from_data(code[name]))
        self._engine.finalize_object()
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32)
        self._functions = {
            name: prototype(self._engine.get_function_address(facts["symbols"][name])) for name in FUNCTIONS
        }

    def call(self, name: str, *values: Any) -> None:
        """Call a function with C-contiguous arrays and numbers of the types that it was compiled for.

        Raises:
            TypeError: an argument of another type, shape or order in memory.
        """
        nothing = ctypes.c_void_p(), ctypes.c_void_p()
        fields: list[Any] = [ctypes.byref(place) for place in nothing]
        for value, (kind, dimensions) in zip(values, self._kinds[name], strict=True):
            fields += _fields(value, kind, dimensions)
        status = self._functions[name](*fields)
        if status not in _DONE:
            raise RuntimeError(f"the compiled function {name} ended with status {status}")


def _fields(value: Any, kind: str, dimensions: int) -> list[Any]:
    """Return an argument as Numba's functions take it: an array as its owner (none), sizes, address, shape and strides."""
    if not dimensions:
        return [ctypes.c_double(value) if kind == "float64" else ctypes.c_int64(value)]
    if value.dtype != kind or value.ndim != dimensions or not value.flags.c_contiguous:
        raise TypeError(
            f"the kernel takes C-contiguous {kind} in {dimensions} dimensions, not {value.dtype} {value.shape}"
        )
    address = ctypes.c_void_p(value.__array_interface__["data"][0])
    sizes = map(ctypes.c_int64, (value.size, value.itemsize))
    return [None, None, *sizes, address, *map(ctypes.c_int64, (*value.shape, *value.strides))]


def _processor() -> tuple[str, str]:
    """Its name and its features; a virtual machine may hide some, and Numba's variables may forbid some."""
    from llvmlite import binding

    name = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = binding.get_host_cpu_features().flatten() if name != "generic" else ""
    return name, features


def _target_machine() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    name, features = _processor()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=3, codemodel="jitdefault")
