"""The explorer: what a treatment does, in a browser.

Pages are plain HTML made on the server and a little script of our own; everything a page shows is in its address, so a link reproduces it. What takes
time is a job in a process of its own, and a job is a folder of a run: see `mesotrial.run`.
"""

from mesotrial.app.server import Settings, create_app, exposure, serve

__all__ = ["Settings", "create_app", "exposure", "serve"]
