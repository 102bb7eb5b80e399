"""The tests."""

import os

#: However pytest was started, lines to be typed again begin so.
os.environ["TEKUTOKO_PYTHON"] = "python3"
