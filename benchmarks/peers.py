"""sBG here and in pymc-marketing 1.3.0, on the same cohorts under the same priors: `peers.py [--repeats N]`.

Makes an environment of its own for the peer, `.peers/` at the root of the repository (git-ignored; delete it to make
it anew), and runs `peer_sbg.py` in both. First the Fader & Hardie (2007) data, then 12 monthly cohorts with 1 to 12
observed renewals, 1,000 and 10,000 customers in all. Every cohort has its own two parameters on both sides.
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from peer_sbg import NUTS, PRIORS

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".peers" / ("Scripts" if os.name == "nt" else "bin") / "python"
PACKAGES = ("pymc-marketing==1.3.0", "nutpie")
ENGINES = {
    "lifeworth": "lifeworth",
    "nutpie": "pymc-marketing, nutpie",
    "pymc": "pymc-marketing, PyMC's NUTS",
}
LOST = {  # of 1,000 customers, over seven renewals
    "high end": (131, 126, 90, 60, 42, 34, 26),
    "regular": (369, 163, 86, 56, 37, 27, 21),
}
ALPHA, BETA = 0.668, 3.806


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--customers", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--engines", nargs="*", choices=list(ENGINES), default=list(ENGINES))
    options = parser.parse_args()
    make_environment()
    versions = {name: importlib.metadata.version(name) for name in ("pymc", "nutpie")}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}, {versions}")
    print(f"both: {NUTS}", flush=True)
    engines = list(dict.fromkeys(("lifeworth", *options.engines)))
    cases = {f"Fader-Hardie {name}": published(lost) for name, lost in LOST.items()}
    cases |= {f"12 cohorts, {n:,} customers": twelve_cohorts(n) for n in options.customers}
    for case, data in cases.items():
        runs, table, agreement = {engine: [] for engine in engines}, [], []
        for _ in range(options.repeats):
            for engine in engines:
                runs[engine].append(run(engine, data))
        for engine in engines:
            table.append({"engine": ENGINES[engine], **measures(runs[engine])})
            if engine != "lifeworth":
                agreement.append({"against": ENGINES[engine], **agree(runs["lifeworth"], runs[engine])})
        print(f"\n{case}\n{pd.DataFrame(table).to_string(index=False)}")
        print(pd.DataFrame(agreement).to_string(index=False), flush=True)


def make_environment() -> None:
    """The peer's own environment, with the interpreter that runs this file."""
    if PEERS.exists():
        return
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        subprocess.run([uv, "venv", "--python", sys.executable, str(ROOT / ".peers")], check=True)
        subprocess.run([uv, "pip", "install", "--python", str(PEERS), *PACKAGES], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(ROOT / ".peers")], check=True)
        subprocess.run([str(PEERS), "-m", "pip", "install", *PACKAGES], check=True)


def published(lost: tuple[int, ...]) -> dict[str, np.ndarray]:
    churned = np.array([lost])
    return {"at_risk": 1000 - np.cumsum(churned, axis=1) + churned, "churned": churned}


def twelve_cohorts(customers: int) -> dict[str, np.ndarray]:
    """Cohorts of equal size from Beta(0.668, 3.806), the oldest observed over 12 renewals, the youngest over one."""
    rng = np.random.default_rng(customers)
    at_risk, churned = np.zeros((2, 12, 12), dtype=int)
    for cohort in range(12):
        leaves = rng.geometric(rng.beta(ALPHA, BETA, customers // 12 + (cohort < customers % 12)).clip(1e-9)) - 1
        for tenure in range(12 - cohort):
            at_risk[cohort, tenure] = (leaves >= tenure).sum()
            churned[cohort, tenure] = (leaves == tenure).sum()
    return {"at_risk": at_risk, "churned": churned}


def run(engine: str, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    python = sys.executable if engine == "lifeworth" else str(PEERS)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "data.npz", Path(folder) / "draws.npz"
        np.savez(source, **data)
        script = str(Path(__file__).with_name("peer_sbg.py"))
        done = subprocess.run(
            [python, script, engine, str(source), str(target)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{engine}: {done.stderr[-2000:]}")
        with np.load(target) as found:
            return dict(found)


def draws(found: dict[str, np.ndarray]) -> xr.Dataset:
    return xr.Dataset({name: (("chain", "draw", "cohort"), found[name]) for name in PRIORS})


def measures(runs: list[dict[str, np.ndarray]]) -> dict[str, object]:
    """Medians over the repeats; least effective size over both parameters of every cohort."""
    first, second = np.median([found["total"] for found in runs], axis=0)
    sampling = np.median([found["sampling"][1] for found in runs])
    with warnings.catch_warnings(action="ignore"):
        ess = np.median([float(az.ess(draws(found), method="bulk").to_array().min()) for found in runs])
    return {
        "first fit s": round(first, 2),
        "refit s": round(second, 2),
        "of it sampling s": round(sampling, 2),
        "least ESS": round(ess),
        "ESS/s sampling": round(ess / sampling),
        "ESS/s refit": round(ess / second),
        "divergences": int(np.median([found["divergences"] for found in runs])),
        "peak MB": round(np.median([found["peak"] for found in runs])),
    }


def agree(ours: list[dict[str, np.ndarray]], theirs: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Differences of posterior means in units of their Monte Carlo error, over every parameter of every cohort."""
    a, b = draws(ours[0]), draws(theirs[0])
    gaps, errors = [], []
    for name in PRIORS:
        gaps.append((a[name].mean(("chain", "draw")) - b[name].mean(("chain", "draw"))).values)
        errors.append(np.hypot(az.mcse(a[name]).values, az.mcse(b[name]).values))
    z = np.concatenate(gaps) / np.concatenate(errors)
    return {
        "means compared": z.size,
        "rms of z": round(float(np.sqrt((z**2).mean())), 2),
        "largest |z|": round(float(np.abs(z).max()), 2),
        "largest gap first_churn": round(float(np.abs(gaps[0]).max()), 5),
        "largest gap polarization": round(float(np.abs(gaps[1]).max()), 5),
    }


if __name__ == "__main__":
    main()
