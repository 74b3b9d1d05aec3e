import os
import pty
import select
import subprocess
import sys
from pathlib import Path

from lineal.client.progress import shown

ROOT = Path(__file__).resolve().parents[2]
_LONG = 100 << 20
_SCRIPT = """
from lineal.client.progress import shown
with shown("log [red]digits", {total}) as progress:
    print(progress is None)
    if progress:
        progress({total} // 2)
        progress({total} // 2)
"""


def on_a_terminal(script: str) -> str:
    """What a terminal of 100 columns saw on standard error."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm"}
    child = subprocess.Popen([sys.executable, "-c", script], stderr=theirs, stdout=subprocess.PIPE, env=environment)
    os.close(theirs)
    seen = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    return out.decode() + seen.decode()


def test_a_long_transfer_shows_a_bar_on_a_terminal():
    seen = on_a_terminal(_SCRIPT.format(total=_LONG))
    assert "False" in seen
    assert "log [red]digits" in seen
    assert "104.9" in seen


def test_a_short_one_shows_nothing():
    assert on_a_terminal(_SCRIPT.format(total=1000)) == "True\n"


def test_without_a_terminal_nothing_is_shown(capfd):
    with shown("log digits", _LONG) as progress:
        assert progress is None
    assert capfd.readouterr() == ("", "")
