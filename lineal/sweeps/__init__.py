"""What to run next: sweeps, their trials and the agents that take them. They come after run tracking."""
