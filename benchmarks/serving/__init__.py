"""How fast a model is served, beside the bare call and beside other servers, in one run on one machine."""
