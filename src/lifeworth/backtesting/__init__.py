"""Would it have held? Forecasts made at past dates, by models, formulas and baselines, scored on what happened."""
