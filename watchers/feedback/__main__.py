"""`python -m watchers.feedback`: the same as `python -m watchers feedback`, for whoever starts services by module."""

from __future__ import annotations

import os
import sys

from watchers.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["feedback"], os.environ))
