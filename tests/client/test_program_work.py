import json
import os
import sys
import threading

import pytest

import lineal
from lineal.client.connection import connection
from lineal.client.program_work import ProgramWork
from lineal.client.trial import Assigned
from lineal.core.errors import InvalidSweep

ECHO = """
import json, os, sys
files = {word: open(word).read() for word in sys.argv[1:] if word.endswith(".json") and os.path.exists(word)}
told = {name: value for name, value in os.environ.items() if name.startswith("LINEAL_")}
json.dump({"words": sys.argv[1:], "files": files, "variables": told}, open("said.json", "w"))
"""


def work(command, *, program=None, params=None):
    config = {"method": "grid", "parameters": params or {"lr": {"values": [1]}}, "command": command}
    sweep_id = lineal.sweep(config | ({"program": program} if program else {}), project="digits")
    return ProgramWork(lineal.Api().sweep(sweep_id)._record, connection())


def mine(**params):
    return Assigned("s1", 4, "r1", "local", "digits", None, params)


def said():
    with open("said.json") as file:
        return json.load(file)


def test_a_program_gets_its_words_its_file_and_what_tells_it_that_it_is_the_trial(place):
    made = work(["${interpreter}", "-c", ECHO, "${args_json_file}", "${args}"])
    assert made.run(mine(lr=0.1, **{"a.b": "$(id) `id` ; 'x' \"y\"\nz"})) == ""
    told = said()
    path, *words = told["words"]
    assert words == ["--lr=0.1", "--a.b=$(id) `id` ; 'x' \"y\"\nz"]
    assert json.loads(told["files"][path]) == {"lr": 0.1, "a": {"b": "$(id) `id` ; 'x' \"y\"\nz"}}
    assert not os.path.exists(path)
    assert (
        told["variables"].items()
        >= {
            "LINEAL_SWEEP": "s1",
            "LINEAL_TRIAL": "4",
            "LINEAL_RUN_ID": "r1",
            "LINEAL_PROJECT": "digits",
            "LINEAL_ENTITY": "local",
            "LINEAL_URL": str(place.store),
        }.items()
    )


def test_a_file_with_arguments_is_for_its_owner_only():
    script = "import os, sys; sys.exit(os.stat(os.path.dirname(sys.argv[1])).st_mode & 0o077)"
    assert work(["${interpreter}", "-c", script, "${args_json_file}"]).run(mine()) == ""


def test_a_store_in_a_folder_is_told_by_its_whole_path(place, monkeypatch):
    monkeypatch.setenv("LINEAL_URL", "../store")
    assert work(["${interpreter}", "-c", ECHO]).run(mine()) == ""
    assert said()["variables"]["LINEAL_URL"] == str(place.store)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["${interpreter}", "-c", "raise SystemExit(4)"], "its program ended with exit code 4"),
        (["${interpreter}", "-c", "import os; os.kill(os.getpid(), 9)"], "its program was ended by SIGKILL"),
        (["/no/such/program"], "its program can't be started: .*No such file"),
    ],
)
def test_why_a_program_failed_is_told(command, why):
    import re

    assert re.match(why, work(command).run(mine()))


def test_a_value_that_no_program_can_get_fails_its_trial():
    assert "can't be started" in work(["${interpreter}", "${args}"]).run(mine(name="a\0b"))


@pytest.mark.parametrize("command", [["${nonsense}"], ["${envvar:NOT_SET_ANYWHERE}"], ["${program}"]])
def test_a_command_that_means_nothing_is_refused_before_any_trial(command):
    with pytest.raises(InvalidSweep):
        work(command)


WAITS = "import sys, time; open('pipe', 'w').close(); time.sleep(60)"


@pytest.mark.parametrize("numbers", [None, [4]])
def test_programs_that_are_asked_end_and_have_not_failed(numbers):
    os.mkfifo("pipe")
    made, told = work(["${interpreter}", "-c", WAITS]), []
    thread = threading.Thread(target=lambda: told.append(made.run(mine())))
    thread.start()
    open("pipe").close()
    made.end([5])
    assert thread.is_alive()
    made.end(numbers)
    thread.join(30)
    assert told == [""]


def test_once_all_were_asked_to_end_none_is_started():
    made = work([sys.executable, "-c", "open('started', 'w')"])
    made.end()
    assert made.run(mine()) == ""
    assert not os.path.exists("started")
