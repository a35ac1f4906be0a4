"""The command line: thin, one module a group of commands. What it does can be done from Python too."""

from mesotrial.cli.app import app, main

__all__ = ["app", "main"]
