"""The project's own files keep their word."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_runs_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m pip.*$", readme, flags=re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("mesotrial run maps2")
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith(commands[1])
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_test_files_have_names_of_their_own() -> None:
    """Pytest imports them by name, so two of one name in different folders hide each other."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("docs/images/"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_changelog_has_a_part_for_what_is_new() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
