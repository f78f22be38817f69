"""The README's first example prints what it says it prints."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_first_example(capsys):
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.S)[1]
    promised = re.search(r"print\(.*# ([\d.]+)$", code, re.M)[1]
    exec(code, {})
    assert abs(float(capsys.readouterr().out.split()[-1]) - float(promised)) < 2
