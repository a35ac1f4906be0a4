"""The same virtual people through several treatments, beside what was published."""

from mesotrial.comparison.comparing import PEOPLE, Comparison, Option, check_comparison, compare
from mesotrial.comparison.errors import PatientError
from mesotrial.comparison.outcomes import Band, DifferenceBand
from mesotrial.comparison.patient import Person, person_from_text

__all__ = [
    "PEOPLE",
    "Band",
    "Comparison",
    "DifferenceBand",
    "Option",
    "PatientError",
    "Person",
    "check_comparison",
    "compare",
    "person_from_text",
]
