"""A run in the formats of other programs: ADaM as CSV, SAS transport, Dataset-JSON with define.xml, simtrial and gsDesign2, tables as RTF and HTML."""

from mesotrial.export.work import FORMATS, Export, Format, export_run

__all__ = ["FORMATS", "Export", "Format", "export_run"]
