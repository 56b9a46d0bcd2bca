"""The command `lifeworth`: options in, tables, pictures and exit codes out; the work is the library's."""

from lifeworth.cli.commands import app

__all__ = ["app"]
