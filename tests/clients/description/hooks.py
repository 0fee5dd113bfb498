"""What the description cannot say in JSON Schema.

As many keys as rows; rows that do not read where asked to stop; how much an explanation may take in all.

Loaded by schemathesis (SCHEMATHESIS_HOOKS), in the environment of the clients.
"""

import schemathesis

MOST_ORDERS = 20_000


@schemathesis.hook
def filter_body(context, body):
    """Whether a generated body is one that the description tells everything about."""
    if isinstance(body, dict):
        keys, rows = body.get("keys"), body.get("rows")
        if isinstance(keys, list) and isinstance(rows, list) and len(keys) != len(rows):
            return False
        orders = body.get("permutations")
        if isinstance(orders, int | float) and isinstance(rows, list) and orders * len(rows) > MOST_ORDERS:
            return False
        return body.get("on_bad") != "stop"
    return not isinstance(body, str | bytes)  # csv
