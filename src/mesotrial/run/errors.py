"""What a run refuses."""

__all__ = ["RequestError", "RunBusyError", "RunFolderError"]


class RequestError(ValueError):
    """Something that cannot be asked for: the message says what is wrong and what to give instead."""


class RunFolderError(RequestError):
    """A folder that is not, or not only, the run asked for. Nothing in it was touched."""


class RunBusyError(RunFolderError):
    """A folder that another process is working on."""
