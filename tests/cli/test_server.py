"""The commands of whoever runs a server are found."""

from __future__ import annotations


def test_the_group_lists_its_commands(cli):
    said = cli("server", "--help")
    assert said.code == 0
    for name in ("migrate", "backup", "restore"):
        assert name in said.out
