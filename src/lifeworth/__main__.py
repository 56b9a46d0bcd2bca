"""`python -m lifeworth` is the command `lifeworth`."""

from lifeworth.cli import app

if __name__ == "__main__":
    app(prog_name="lifeworth")
