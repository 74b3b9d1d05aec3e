"""`python -m lineal` is the `lineal` command."""

from lineal.cli.main import run

if __name__ == "__main__":
    run()
