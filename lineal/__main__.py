"""`python -m lineal` is the `lineal` command."""

from lineal.cli.main import run

run()
