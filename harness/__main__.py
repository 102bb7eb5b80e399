"""``python -m harness``, by any Python 3.11 or newer: it goes on in the locked environment, which it may make."""

import sys

from harness import bootstrap, terminal

terminal.install()
bootstrap.enter("harness")

from harness.cli import main, with_output

sys.exit(with_output(main(sys.argv[1:])))
