"""No kernel of the network reads or writes beyond its arrays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = ["test_rules.py", "test_original.py", "test_kernels.py", "test_editing.py", "test_growth.py", "test_recruit.py"]


@pytest.mark.slow
def test_the_networks_tests_pass_with_bounds_checked(tmp_path):
    # A cache of its own: Numba would hand the checked code to everybody.
    checked = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(command, cwd=Path(__file__).parent, env=checked, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
