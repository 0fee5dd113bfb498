"""Deep learners."""
