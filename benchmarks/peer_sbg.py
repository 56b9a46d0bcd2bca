"""One sBG fit, timed, in a process of its own: `peer_sbg.py ENGINE DATA.npz OUT.npz`.

ENGINE is lifeworth, or pymc-marketing's sampler: nutpie or pymc (PyMC's own NUTS). `peers.py` runs this file with the
interpreter of each environment. DATA has `at_risk` and `churned`, (cohorts, tenures), zero where unobserved. Each
process fits twice: the first fit meets a cold compiler, the second is what a refit costs.
"""

import resource
import sys
import time
import warnings

import numpy as np

PRIORS = {"first_churn": (0.005, 0.50), "polarization": (0.01, 0.80)}
"""Central 90% intervals of a Normal on the logit scale, the defaults of lifeworth; both are given these."""
NUTS = {"draws": 1000, "tune": 500, "chains": 4, "cores": 2, "target_accept": 0.9}


def main() -> None:
    engine, source, target = sys.argv[1:]
    data = np.load(source)
    fit = lifeworth_fit() if engine == "lifeworth" else marketing_fit(engine)  # imports are not timed
    fits = [fit(data["at_risk"], data["churned"], seed) for seed in (1, 2)]
    np.savez(
        target,
        first_churn=fits[-1][0],
        polarization=fits[-1][1],
        total=[fit[2] for fit in fits],
        sampling=[fit[3] for fit in fits],
        divergences=fits[-1][4],
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def lifeworth_fit():
    """Every cohort alone (pooling "none"): draws of both parameters, total and sampling seconds, divergences."""
    import nutpie
    import pandas as pd

    import lifeworth as lw
    from lifeworth.churn import ShiftedBetaGeometric
    from lifeworth.fitting import fit as fit_table

    original, inside = nutpie.sample, []

    def timed(*args, **kwargs):
        begun = time.perf_counter()
        tree = original(*args, **kwargs)
        inside.append(time.perf_counter() - begun)
        return tree

    nutpie.sample = timed
    options = lw.SamplerOptions(**NUTS)

    def fit(at_risk, churned, seed):
        cohort, tenure = np.nonzero(at_risk)
        counts = {"at_risk": at_risk[cohort, tenure], "churned": churned[cohort, tenure]}
        cells = pd.DataFrame({"cohort": [f"{c:02d}" for c in cohort], "tenure": tenure, **counts})
        inside.clear()
        begun = time.perf_counter()
        with warnings.catch_warnings(action="ignore"):
            table = lw.CohortTable.from_counts(cells, period="month")
            done = fit_table(
                table, churn=ShiftedBetaGeometric(), pooling="none", priors=PRIORS, seed=seed, sampler=options
            )
        total = time.perf_counter() - begun
        found = done.draws["logo"].transpose("chain", "draw", "unit")
        divergences = int(done.diagnostics.table["divergences"].sum())
        return found["first_churn"].values, found["polarization"].values, total, sum(inside), divergences

    return fit


def marketing_fit(sampler):
    """The same for pymc-marketing: phi and kappa of each cohort with the same, independent priors."""
    from pymc_extras.prior import Prior
    from pymc_marketing.clv import ShiftedBetaGeoModel

    (phi_mean, phi_sd), (spread_mean, spread_sd) = (logit_normal(*interval) for interval in PRIORS.values())
    # PyMC 6.3.2 samples LogitNormal untransformed, hence Normal and sigmoid.
    config = {  # polarization = 1 / (kappa + 1), so log(kappa) = -logit(polarization)
        "phi": Prior("Normal", mu=phi_mean, sigma=phi_sd, dims="cohort", transform="sigmoid"),
        "kappa": Prior("LogNormal", mu=-spread_mean, sigma=spread_sd, dims="cohort"),
    }

    def fit(at_risk, churned, seed):
        customers = one_row_per_customer(at_risk, churned)
        begun = time.perf_counter()
        with warnings.catch_warnings(action="ignore"):
            model = ShiftedBetaGeoModel(model_config=config)
            tree = model.fit(data=customers, random_seed=seed, progressbar=False, nuts_sampler=sampler, **NUTS)
        total = time.perf_counter() - begun
        drawn = tree.posterior
        phi, kappa = (
            drawn[name].sortby("cohort").transpose("chain", "draw", "cohort").values for name in ("phi", "kappa")
        )
        sampling = float(drawn.attrs.get("sampling_time", np.nan))
        divergences = int(tree.sample_stats["diverging"].sum())
        return phi, 1 / (1 + kappa), total, sampling, divergences

    return fit


def logit_normal(low, high):
    """Mean and sd on the logit scale of the Normal with this central 90% interval."""
    ends = np.log([low / (1 - low), high / (1 - high)])
    return ends.mean(), (ends[1] - ends[0]) / (2 * 1.6448536269514722)


def one_row_per_customer(at_risk, churned):
    """Customers with recency and T: T - 1 renewals were decided, recency T is still active after all of them.

    A customer lost in tenure k made k renewals and has recency k + 1; `recency == T` is P(lifetime >= T), a survivor.
    """
    import pandas as pd

    parts = []
    for cohort, (n, d) in enumerate(zip(at_risk, churned, strict=True)):
        observed = np.count_nonzero(n)
        recency = np.repeat(np.arange(observed + 1) + 1, [*d[:observed], n[observed - 1] - d[observed - 1]])
        parts.append(pd.DataFrame({"recency": recency, "T": observed + 1, "cohort": f"{cohort:02d}"}))
    customers = pd.concat(parts, ignore_index=True)
    return customers.rename_axis("customer_id").reset_index()


if __name__ == "__main__":
    main()
