"""Regimens and designs that do better: a search over the ranges of a design file, honest about luck and about what is unknown of the model."""

from mesotrial.search.objectives import OBJECTIVES, Objective
from mesotrial.search.optimising import Search, optimise

__all__ = ["OBJECTIVES", "Objective", "Search", "optimise"]
