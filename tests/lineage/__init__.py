"""Tests of the lineage room."""
