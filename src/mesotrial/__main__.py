"""``python -m mesotrial``: the command line."""

import sys

from mesotrial.cli import main

if __name__ == "__main__":
    sys.exit(main())
