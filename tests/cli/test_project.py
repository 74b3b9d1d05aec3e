import os
import pty
import subprocess
import tomllib
from pathlib import Path

import pytest


def test_init_writes_a_project_file_named_after_the_folder(cli, place):
    said = cli("init")
    assert (said.code, str(place.work / "lineal.toml") in said.out) == (0, True)
    assert tomllib.loads(Path("lineal.toml").read_text()) == {"project": "work"}


def test_init_takes_a_name_and_what_is_logged_goes_there(cli, write):
    cli("init", "digits")
    cli("add", write({"a": "1"}), "raw", "-t", "dataset")
    assert "digits/raw" in cli("ls").out


def test_a_second_init_changes_nothing_unless_forced(cli):
    cli("init", "digits")
    said = cli("init", "letters")
    assert said.code == 2
    assert "--force" in said.err
    assert tomllib.loads(Path("lineal.toml").read_text()) == {"project": "digits"}
    assert cli("init", "letters", "--force").code == 0
    assert tomllib.loads(Path("lineal.toml").read_text()) == {"project": "letters"}


@pytest.mark.parametrize("name", ["../x", "a b", 'x"\nurl = "/etc', ""])
def test_a_name_that_cannot_be_is_refused_or_left_out(cli, name):
    said = cli("init", name)
    assert said.code == (2 if name else 0)
    assert Path("lineal.toml").exists() == (not name)


def test_a_folder_of_an_odd_name_gives_a_project_all_the_same(cli, monkeypatch):
    for folder in ("Über uns (2026)", "...", "日本"):
        Path(folder).mkdir()
        monkeypatch.chdir(folder)
        assert cli("init").code == 0
        assert cli("ls").code == 0
        monkeypatch.chdir("..")


def test_a_place_that_cannot_be_written_is_told(cli):
    Path("lineal.toml").mkdir()
    said = cli("init", "--force")
    assert (said.code, "can't be written" in said.err) == (2, True)


def test_a_working_folder_that_is_gone_is_told(cli, monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    said = cli("ls")
    monkeypatch.chdir(tmp_path)
    assert (said.code, "was deleted" in said.err) == (2, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(cli, shell):
    said = cli("completion", shell)
    assert said.code == 0
    assert "_LINEAL_COMPLETE" in said.out


def complete(installation, words: str, cword: int) -> list[str]:
    """What the shell would offer for the word at `cword`."""
    environment = installation.environment() | {
        "_LINEAL_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(cword),
    }
    done = subprocess.run(
        [installation.bin / "lineal"], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return [line.split(",", 1)[1] for line in done.stdout.splitlines() if line]


def test_refs_complete_to_what_is_there(installation, log):
    log("digits", {"a": "1"}, aliases=["raw"])
    log("digits", {"a": "2"})
    log("model", {"w": "1"}, project="vision")
    assert complete(installation, "lineal show di", 2) == ["digits"]
    assert complete(installation, "lineal show vision/", 2) == ["vision/model"]
    assert complete(installation, "lineal show digits:", 2) == [
        "digits:latest",
        "digits:v1",
        "digits:v0",
        "digits:raw",
    ]
    assert complete(installation, "lineal show digits:r", 2) == ["digits:raw"]
    assert complete(installation, "lineal show nothing:", 2) == []
    assert "promote" in complete(installation, "lineal pro", 1)


def test_completion_in_a_store_that_cannot_be_read_offers_nothing(installation, monkeypatch):
    Path("file").write_text("no store")
    monkeypatch.setenv("LINEAL_URL", str(Path("file").absolute()))
    assert complete(installation, "lineal show di", 2) == []


def test_in_a_real_bash_the_tab_key_completes_past_the_colon(installation, log):
    log("digits", {"a": "1"}, aliases=["raw"], description="found by the tab key")
    ours, theirs = pty.openpty()
    environment = installation.environment() | {"TERM": "dumb", "PS1": "$ ", "INPUTRC": "/dev/null"}
    bash = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, b'eval "$(lineal completion bash)"\n')
    os.write(ours, b"lineal show digits:ra\t\n")
    os.write(ours, b"exit\n")
    seen = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    bash.wait(timeout=60)
    assert "found by the tab key" in seen.decode(errors="replace"), seen
