"""What is under `deploy/`, and what docs/deploy.md says to type."""
