"""Makes `python -m dynlive_rl` the command `dynlive`."""

import sys

from .cli import main

sys.exit(main())
