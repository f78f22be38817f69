"""What each rule is worth by which the agent notices what is going on: our agent without it, as `ablate.py` has it."""

import sys
from pathlib import Path

import ablate
import compare

if __name__ == "__main__":
    out = Path("results/rules")
    agents = ["dynlive", *ablate.RULES]
    sys.exit(compare.main(ablate.ENTRIES, __file__, __doc__, ablate.report, envs=ablate.ENVS, agents=agents, out=out))
