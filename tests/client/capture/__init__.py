"""Tests of what is recorded without being asked."""
