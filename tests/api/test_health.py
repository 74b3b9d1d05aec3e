"""Whether the server lives and whether it is ready."""

import shutil
from pathlib import Path

from lineal.api.app import create_app
from lineal.api.health import State
from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import Ask, asking


def test_a_store_that_answers_is_ready(ask: Ask) -> None:
    assert ask("GET", "/ready").json() == {"status": "ready"}


def test_a_store_whose_bytes_are_gone_is_not_ready_but_alive(ask: Ask, backend: LocalBackend, tmp_path: Path) -> None:
    store = Path(str(backend.blobs.store.root))
    shutil.move(store, tmp_path / "away")
    answer = ask("GET", "/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "reason": "unavailable.store"}
    assert answer.headers["Retry-After"] == "1"
    assert str(tmp_path) not in answer.text
    assert ask("GET", "/health").status_code == 200
    shutil.move(tmp_path / "away", store)
    assert ask("GET", "/ready").status_code == 200


def test_a_server_that_stops_is_not_ready(backend: LocalBackend) -> None:
    state = State()
    asked = asking(create_app(backend, state=state))
    assert asked("GET", "/ready").status_code == 200
    state.stopping = True
    assert asked("GET", "/ready").json() == {"status": "not ready", "reason": "stopping"}
