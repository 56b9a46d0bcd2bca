"""Where compiled models and caches go when there is no home folder to write to; before any heavy import."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def prepare() -> None:
    """Point PyTensor, Numba and Matplotlib at a temporary folder of this user, if HOME cannot be written."""
    home = Path.home() if "HOME" not in os.environ else Path(os.environ["HOME"])
    if home.is_dir() and os.access(home, os.W_OK):
        return
    cache = _cache()
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    if "base_compiledir" not in flags:
        own = f"base_compiledir={cache / 'pytensor'}"
        os.environ["PYTENSOR_FLAGS"] = f"{flags},{own}" if flags else own
    for name, folder in (("NUMBA_CACHE_DIR", "numba"), ("MPLCONFIGDIR", "matplotlib")):
        path = Path(os.environ.setdefault(name, str(cache / folder)))
        path.mkdir(parents=True, exist_ok=True)


def _cache() -> Path:
    """A folder under the temporary one that belongs to this user alone, the same one next time."""
    path = Path(tempfile.gettempdir()) / f"lifeworth-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if path.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix="lifeworth-"))
    return path
