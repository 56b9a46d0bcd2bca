"""Property tests here repeat the same examples, and are not timed on a shared machine."""

from hypothesis import settings

settings.register_profile("formulas", deadline=None, derandomize=True)
settings.load_profile("formulas")
