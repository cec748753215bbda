"""Scripts that choose their own exit status, run with the recorder: which line is their gate."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from epochal.results.ending import parse_endings
from epochal.results.own_gate import find_own_gate
from epochal.results.remedies import Origin

_RECORDER = Path(__file__).parents[2] / "epochal" / "recorder"
_MODULE = "def check(accuracy):\n    if accuracy < 0.9:\n        raise ValueError('too low')\n"


def _find_gate(folder: Path, script: str) -> str | None:
    code, out = folder / "code", folder / "out"
    code.mkdir()
    out.mkdir()
    (code / "nn.py").write_text(script, encoding="utf-8")
    (code / "gate.py").write_text(_MODULE, encoding="utf-8")
    variables = {"PYTHONPATH": str(_RECORDER), "EPOCHAL_OUT": str(out), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "nn.py"], cwd=code, env=os.environ | variables, capture_output=True, check=False
    )
    endings = parse_endings((out / "metrics.jsonl").read_text(encoding="utf-8"))
    gate = find_own_gate(result.returncode, endings.script, Origin(code))
    return gate.place if gate else None


@pytest.mark.parametrize(
    ("script", "place"),
    [
        ("import sys\naccuracy = 0.5\nif accuracy < 0.9:\n    sys.exit(1)\n", "nn.py line 4"),
        ("import sys\naccuracy = 0.5\nsys.exit('too low')\n", "nn.py line 3"),
        ("exit(2)\n", "nn.py line 1"),
        ("import os\nos._exit(3)\n", "nn.py line 2"),
        ("accuracy = 0.5\nif accuracy < 0.9:\n    raise SystemExit(1)\n", "nn.py line 3"),
        ("accuracy = 0.5\nassert accuracy > 0.9, accuracy\n", "nn.py line 2"),
        ("import gate\ngate.check(0.5)\n", "gate.py line 3"),
        ("import sys\ndef main():\n    if 1:\n        return 1\n    return 0\nsys.exit(main())\n", "nn.py line 4"),
        ("import sys\ndef main():\n    sys.exit(1)\nif __name__ == '__main__':\n    main()\n", "nn.py line 3"),
        ("import sys\ndef later():\n    model.evaluate(x)\nsys.exit(1)\n", "nn.py line 4"),
        ("from unittest import TestCase\nTestCase().assertGreater(0.5, 0.9)\n", "nn.py line 2"),
        # A fault does not count as a gate, even if the script turns it into an exit status.
        ("{}['a']\n", None),
        ("import sys\ntry:\n    {}['a']\nexcept KeyError:\n    sys.exit(1)\n", None),
        ("try:\n    {}['a']\nexcept KeyError:\n    raise SystemExit(1)\n", None),
        ("try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError from error\n", None),
        # The script might have measured another accuracy afterwards.
        ("import sys\nsys.exit(1)\nmodel.evaluate(x_test, y_test)\n", None),
        (
            "for fold in range(3):\n    print(fold) if fold else len('').score if 0 else 0\n    assert fold\n",
            "nn.py line 3",
        ),
        ("class Model:\n    def score(self): return 0\nfor _ in range(2):\n    Model().score()\n    assert 0\n", None),
        ("", None),
    ],
)
def test_line_that_chose_the_exit_status_is_found(tmp_path: Path, script: str, place: str | None) -> None:
    """Each script is actually run, with the recorder."""
    assert _find_gate(tmp_path, script) == place
