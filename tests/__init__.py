"""Tests. They mirror the rooms; `journeys` tells user stories."""
