"""The schema of the ``search:`` block of a design file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictFloat, StrictInt, StrictStr

from mesotrial.catalogue._file_schema import FileModel, Word

__all__ = ["SearchBlockFile", "SearchVariableFile"]

Finite = Annotated[StrictInt | StrictFloat, Field(ge=-1e9, le=1e9)]
Step = Annotated[StrictInt | StrictFloat, Field(gt=0, le=1e9)]
Choice = StrictInt | StrictFloat | StrictStr


class SearchVariableFile(FileModel):
    """One thing that may vary: its values, or a range of numbers."""

    values: list[Choice] | None = Field(
        None, min_length=1, max_length=1000, description="numbers or texts; a regimen that is `none` is left out"
    )
    from_: Finite | None = Field(None, alias="from", description="the smallest number of a range")
    to: Finite | None = Field(None, description="the largest number of a range")
    step: Step | None = Field(
        None, description="from one number of the range to the next; 1 if not given and both ends are whole"
    )
    default: Choice | None = Field(None, description="what `mesotrial run` takes; the first value if not given")


class SearchBlockFile(FileModel):
    """A file's search block, to be checked by itself."""

    search: dict[Word, SearchVariableFile] = Field(min_length=1, description="what may vary, by name")
