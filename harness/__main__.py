"""``python -m harness``, by any Python 3.11 or newer: it goes on in the locked environment, which it may make."""

import sys

from harness import bootstrap

bootstrap.enter("harness")

from harness.cli import main

sys.exit(main(sys.argv[1:]))
