"""Tests of the sweeps room."""
