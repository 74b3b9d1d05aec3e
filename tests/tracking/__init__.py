"""Tests of the room of the same name, where the contract leaves something to say."""
