"""What a run refuses."""

__all__ = ["RequestError", "RunBusyError", "RunFolderError", "check_installed"]


class RequestError(ValueError):
    """Something that cannot be asked for: the message says what is wrong and what to give instead."""


class RunFolderError(RequestError):
    """A folder that is not, or not only, the run asked for. Nothing in it was touched."""


class RunBusyError(RunFolderError):
    """A folder that another process is working on."""


def check_installed(package: str, command: str, instead: str = "") -> None:
    """Refuse a `command` that needs a `package` of the extra `search` where it is not installed; `instead` is another way out."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise RequestError(
            f"mesotrial {command} needs {package} here, which is not installed; in a clone: .uv/bin/uv run --extra search mesotrial {command} ...; "
            f"for an installed package: pip install 'mesotrial[search]'{instead}"
        )
