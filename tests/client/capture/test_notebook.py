import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineal.client.capture.notebook import notebook

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A real IPython without a terminal."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setattr(HistoryManager, "enabled", False)
    streams = sys.stdout, sys.stderr, sys.displayhook, sys.excepthook
    found = InteractiveShell.instance()
    yield found
    InteractiveShell.clear_instance()
    sys.stdout, sys.stderr, sys.displayhook, sys.excepthook = streams


def cells(document: bytes | None) -> list[tuple[int, str]]:
    assert document is not None
    return [(cell["execution_count"], cell["source"]) for cell in json.loads(document)["cells"]]


def test_there_is_none_outside_of_ipython():
    assert notebook() is None


def test_cells_are_told_as_they_were_typed_in_the_order_they_ran(shell):
    shell.run_cell("x = 1", store_history=True)
    shell.run_cell("%time y = 2\nx + y", store_history=True)
    shell.run_cell("1 / 0", store_history=True)
    shell.run_cell("hidden = 1", store_history=False)
    assert cells(notebook()) == [(1, "x = 1"), (2, "%time y = 2\nx + y"), (3, "1 / 0")]


def test_an_ipython_that_has_run_nothing_has_no_document(shell):
    assert notebook() is None


def test_the_document_is_a_valid_notebook(shell):
    shell.run_cell("print('äöü 🙂')", store_history=True)
    document = json.loads(notebook() or b"")
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    (cell,) = document["cells"]
    assert cell == {
        "cell_type": "code",
        "execution_count": 1,
        "id": cell["id"],
        "metadata": {},
        "outputs": [],
        "source": "print('äöü 🙂')",
    }
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(document)


def test_tokens_in_cells_are_hidden(shell):
    shell.run_cell("token = 'hf_abcdefghijklmnopqrstuv'", store_history=True)
    shell.run_cell("tokenizer = token", store_history=True)
    assert cells(notebook()) == [(1, "token = '***'"), (2, "tokenizer = token")]


def test_a_history_that_was_tampered_with_is_no_trouble(shell):
    shell.run_cell("x = 1", store_history=True)
    shell.history_manager.input_hist_raw.append(3)
    assert cells(notebook()) == [(1, "x = 1")]
    shell.history_manager = None
    assert notebook() is None


def test_in_a_jupyter_kernel_cells_and_printed_lines_are_told(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)}
    program = f"""
import sys
from jupyter_client.manager import KernelManager
manager = KernelManager()
manager.start_kernel(env={environment!r})
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
printed = []
def hook(message):
    if message["msg_type"] == "stream":
        printed.append((message["content"]["name"], message["content"]["text"]))
try:
    for cell in sys.stdin.read().split("---\\n"):
        reply = client.execute_interactive(cell, timeout=60, output_hook=hook)
        assert reply["content"]["status"] == "ok", reply["content"]
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(printed)
"""
    first = """
import json, sys
from lineal.client.capture.console import Console
from lineal.client.capture.notebook import notebook
console = Console(); console.start()
print("hello"); print("error", file=sys.stderr)
---
console.stop()
assert [(line.stream, line.text) for line in console.take()] == [("stdout", "hello"), ("stderr", "error")]
assert json.loads(notebook())["cells"][1]["source"].startswith("console.stop()")
print("after")
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=first, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "('stdout', 'hello" in done.stdout and "('stderr', 'error" in done.stdout
    assert "after" in done.stdout
