"""What a worker is told."""

from pathlib import Path

from lineal.api.plan import Plan
from lineal.core import settings
from lineal.core.settings import ServerSettings


def test_a_plan_comes_out_of_its_line_as_it_went_in(tmp_path: Path) -> None:
    url = "postgresql://ada:pass word@db/x?sslmode=require"
    store = settings.load(tmp_path, url=url, store=str(tmp_path / "bytes"), entity="team", project="p", user="Zoë")
    server = ServerSettings(
        port=1, names=("a.b", "c"), trusted_proxies=("10.0.0.0/8",), stop_within_s=1.5, telemetry=True
    )
    line = Plan(store, server).to_line()
    assert line.count(b"\n") == 1
    again = Plan.from_line(line)
    assert again.server == server
    for name in ("url", "store", "entity", "project", "user"):
        assert getattr(again.store, name) == getattr(store, name)
    assert "pass word" not in repr(again)
