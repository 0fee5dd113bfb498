"""Tools that know nothing of learning."""
