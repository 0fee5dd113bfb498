"""The same model in BentoML: `bentoml serve bentoml_service:Served`."""

import os

import bentoml
import pandas as pd

import fathometer as fm


@bentoml.service(workers=1, metrics={"enabled": True}, traffic={"timeout": 60})
class Served:
    """Rows in, probabilities out."""

    def __init__(self) -> None:
        self.model = fm.open_model(os.environ["SERVED_BUNDLE"])

    @bentoml.api(route="/predict")
    def predict(self, rows: list[dict]) -> list[dict]:
        return self.model.predict(pd.DataFrame(rows)).to_dict("records")
