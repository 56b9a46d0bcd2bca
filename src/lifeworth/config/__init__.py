"""What a run is asked to do: the options of the command line and of job.toml, which are the same ones."""

from lifeworth.config.job import Job
from lifeworth.config.options import OnTheLine, Section

__all__ = ["Job", "OnTheLine", "Section"]
