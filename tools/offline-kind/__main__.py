"""``python3 tools/offline-kind COMMAND``: see ``--help``."""

import sys

from offline_kind.command import main

sys.exit(main(sys.argv[1:]))
