"""Tests of the room of the same name: its functions on a session, on both databases where these differ."""
