"""Tests of the room of the same name: sweeps as pure functions of what is known."""
