"""Ask with MLflow's scoring client; runs where that is installed."""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

asked = json.load(sys.stdin)
host, _, port = asked["host"].partition(":")
client = ScoringServerClient(host, port)
client.wait_server_ready(timeout=30)
frame = pd.DataFrame(asked["rows"])
assert frame["size"].isna().any() and frame["size"].dtype == "float64"  # NaN is sent as NaN
days = pd.to_datetime(frame["day"], format="ISO8601")
wish = {"output": "probabilities"}
told = {
    "version": client.get_version(),
    "labels": client.invoke(frame)["predictions"],
    "frame": client.invoke(frame, params=wish).get_predictions("ndarray").tolist(),
    "moments": client.invoke(frame.assign(day=days), params=wish)["predictions"],
    "list": client.invoke(asked["rows"], params=wish)["predictions"],
    "array": client.invoke(np.array(frame.astype(object).where(frame.notna(), None)), params=wish)[
        "predictions"
    ],
    "all": client.invoke(frame, params={"output": "all"}).get_predictions().to_dict("records"),
}
try:
    client.invoke(frame.drop(columns="colour"))
except Exception as error:
    told["error"] = str(error)
print(json.dumps(told))
