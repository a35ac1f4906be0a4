"""The public face: what it names is there, and naming it costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mesotrial

HEAVY = ("antimony", "libsbml", "matplotlib", "numba", "numpy", "polars", "pydantic", "scipy", "sympy", "typer")


@pytest.mark.parametrize("name", mesotrial.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(mesotrial, name) is not None
    assert name in dir(mesotrial)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(mesotrial.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*typed, "__version__"} == set(mesotrial.__all__)
    for name, module in typed.items():
        assert module == f"mesotrial.{mesotrial._HOME.get(name, 'catalogue')}"


def test_names_are_sorted_and_unique() -> None:
    assert len(set(mesotrial.__all__)) == len(mesotrial.__all__)
    assert list(dir(mesotrial)) == sorted(mesotrial.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="simulate_trail"):
        mesotrial.simulate_trail  # noqa: B018


def test_the_import_loads_nothing_heavy() -> None:
    code = f"import sys, mesotrial; dir(mesotrial); sys.exit(sum(name in sys.modules for name in {HEAVY}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
