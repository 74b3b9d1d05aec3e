"""The units: what systemd itself says of them where there is one, and what they must agree with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lineal.core import settings
from lineal.core.clock import parse_duration
from tests.deploy.files import DEPLOY, PORT, check_command, known_variables

UNITS = DEPLOY / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
ENVIRONMENT = dict(
    line.split("=", 1) for line in (UNITS / "lineal.env").read_text().splitlines() if line and line[0] != "#"
)
PATH = "/opt/lineal/bin/lineal"


def read(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def name(unit: Path) -> str:
    return unit.name


@pytest.mark.parametrize("unit", SERVICES, ids=name)
def test_a_service_may_do_little(unit: Path) -> None:
    said = read(unit)
    assert (said["User"], said["ProtectSystem"], said["NoNewPrivileges"]) == (["lineal"], ["strict"], ["yes"])
    assert said["EnvironmentFile"] == ["/etc/lineal/lineal.env"]
    assert said["CapabilityBoundingSet"] == [""]
    assert "u lineal " in (UNITS / "sysusers.conf").read_text()


@pytest.mark.parametrize("unit", SERVICES, ids=name)
def test_what_a_service_starts_is_a_command(unit: Path) -> None:
    (start,) = read(unit)["ExecStart"]
    words = re.search(rf"{PATH} ([^']+)'?$", start)
    assert words is not None
    check_command(re.sub(r"\$+\(.*?\)", "now", words[1]).split())


def test_every_timer_has_its_service_and_the_backup_comes_before_gc() -> None:
    timers = {unit.stem: read(unit)["OnCalendar"][0] for unit in UNITS.glob("*.timer")}
    assert timers.keys() == {unit.stem for unit in SERVICES} - {"lineal"}
    assert timers["lineal-backup"] < timers["lineal-gc"]


def test_settings_are_lineals_and_are_taken_and_the_server_has_time_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (UNITS / "lineal.env").read_text()
    assert set(re.findall(r"^#?(LINEAL_\w+)=", text, re.M)) <= known_variables()
    assert not re.search("password=|secret_access_key", text, re.I)
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    found = settings.load_server()
    assert (found.host, str(found.port)) == ("127.0.0.1", PORT)
    (stop,) = read(UNITS / "lineal.service")["TimeoutStopSec"]
    assert parse_duration(stop).total_seconds() >= found.stop_within_s + 10


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
@pytest.mark.parametrize("unit", SERVICES, ids=name)
def test_systemd_knows_every_word_and_finds_little_to_attack(unit: Path, tmp_path: Path) -> None:
    for file in UNITS.iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace(PATH, "/bin/true"))
    here = str(tmp_path / unit.name)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", here],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", here],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout[-200:]
