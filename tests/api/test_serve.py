"""Where a server listens."""

import socket

import pytest

from lineal.api.serve import listen
from lineal.core.errors import AddressInUse, InvalidSettings


def test_any_free_port_is_found() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        pass


def test_a_name_is_an_address_too() -> None:
    with listen("localhost", 0) as listening:
        assert listening.getsockname()[0] in ("127.0.0.1", "::1")


def test_a_port_that_is_taken_is_refused_with_another() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(AddressInUse, match="--port"):
        listen("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid", "a" * 300])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(InvalidSettings, match="address"):
        listen(host, 0)
