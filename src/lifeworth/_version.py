"""The version of this package."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lifeworth")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+source"
