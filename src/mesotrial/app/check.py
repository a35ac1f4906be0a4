"""A design from a stranger: read in a process of its own, with little memory, little time and no files to write.

``python -m mesotrial.app.check`` reads YAML on standard input and answers with one JSON object: the design written anew by our own writer, or an error.
"""

from __future__ import annotations

import json
import sys

from mesotrial.app.bounds import Refused
from mesotrial.app.confine import ask_confined, confine

__all__ = ["MOST_ARMS", "MOST_LETTERS", "check_design", "main"]

MOST_LETTERS, MOST_ARMS, MOST_REGIMENS, MOST_MONTHS = 60_000, 6, 16, 240
_SECONDS = 20


def check_design(text: str) -> tuple[str, str]:
    """Return the name and the YAML of a design that was read without fault.

    Raises `Refused` with the fault's line and field.
    """
    if len(text) > MOST_LETTERS:
        raise Refused(f"the design has {len(text):,} letters; at most {MOST_LETTERS:,} are read")
    request = text.encode("utf-8", errors="replace")
    answer = ask_confined("mesotrial.app.check", request, seconds=_SECONDS, what="the design")
    return str(answer["name"]), str(answer["yaml"])


def main() -> None:
    """Read, check and answer."""
    confine(_SECONDS)
    from mesotrial.catalogue import CatalogueError, design_from_text

    try:
        design = design_from_text(
            sys.stdin.buffer.read(8 * MOST_LETTERS).decode("utf-8", errors="replace"), "your design"
        )
        answer = {"name": design.name, "yaml": design.to_yaml()}
        every = [design.lead_in, *(line for arm in design.arms for line in (arm, arm.second_line))]
        lines = [line for line in every if line is not None]
        regimens = [
            one for line in lines for one in (*line.regimens, *(r for choice in line.one_of for r in choice.regimens))
        ]
        if len(design.arms) > MOST_ARMS or len(regimens) > MOST_REGIMENS:
            answer = {"error": f"at most {MOST_ARMS} arms with {MOST_REGIMENS} regimens in all are simulated here"}
        elif design.accrual_months + design.follow_up_months > MOST_MONTHS:
            answer = {"error": f"at most {MOST_MONTHS} months of enrolment and follow-up are simulated here"}
    except CatalogueError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "the design needs too much memory to read"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
