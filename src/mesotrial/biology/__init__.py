"""The disease and the drugs as Antimony text, one file a mechanism, and the assembly of the model that a set of drugs needs."""

from mesotrial.biology.assemble import Assembly, assemble

__all__ = ["Assembly", "assemble"]
