"""How far the model may be trusted, gathered by machine: one page in the headings of ICH M15 and ASME V&V 40, and a model card."""

from mesotrial.credibility.page import credibility_page, write_credibility

__all__ = ["credibility_page", "write_credibility"]
