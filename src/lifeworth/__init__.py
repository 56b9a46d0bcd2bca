"""Customer lifetime value with uncertainty that holds: formulas beside Bayesian models, per cohort."""
