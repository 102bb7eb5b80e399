"""``python -m harness``, by any Python 3.11 or newer: it goes on in the locked environment, which it may make."""

import sys

from harness.base import bootstrap, terminal

terminal.install()
bootstrap.enter("harness")

from harness.cli.main import main, with_output

sys.exit(with_output(main(sys.argv[1:])))
