"""What a run refuses."""

__all__ = ["RequestError", "RunFolderError"]


class RequestError(ValueError):
    """Something that cannot be asked for: the message says what is wrong and what to give instead."""


class RunFolderError(RequestError):
    """A folder that is not, or not only, the run asked for. Nothing in it was touched."""
