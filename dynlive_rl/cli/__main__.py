"""Makes `python -m dynlive_rl.cli` the command `dynlive`."""

import sys

from . import main

sys.exit(main())
