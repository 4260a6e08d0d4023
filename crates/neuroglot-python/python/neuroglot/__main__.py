"""``python -m neuroglot`` is the command ``neuroglot``."""

import sys

from neuroglot._command import main

sys.exit(main())
