"""What a comparison refuses."""

from __future__ import annotations

from mesotrial.run import RequestError

__all__ = ["PatientError"]


class PatientError(RequestError):
    """A person's description that cannot be read: the message quotes it with a caret under the words from ``start`` to ``end``."""

    def __init__(self, text: str, start: int, end: int, message: str) -> None:
        """Compose the message."""
        self.text, self.start, self.end, self.message = text, start, end, message
        super().__init__(f"{message}\n  {text}\n  {' ' * start}{'^' * max(1, end - start)}")
