"""The scripts of the scheduled jobs, ``.ci/night``: on the path here, as the launcher puts them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))
