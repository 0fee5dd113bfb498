"""The making side, second half: judge what a study recorded. Imports no learner."""
