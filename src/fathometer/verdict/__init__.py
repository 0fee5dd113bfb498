"""The making side, second half: judge what a study recorded. Imports no learner."""

from fathometer.verdict.gap import Forecast, forecast_gap

__all__ = ["Forecast", "forecast_gap"]
