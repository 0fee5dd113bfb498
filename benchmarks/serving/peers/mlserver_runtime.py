"""The same model in MLServer, which is started in a folder with its settings (see run.py)."""

import os

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse

import fathometer as fm


class Served(MLModel):
    """Columns in, probabilities out."""

    async def load(self) -> bool:
        self.model = fm.open_model(os.environ["SERVED_BUNDLE"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        frame = self.decode_request(payload, default_codec=PandasCodec)
        numbers = self.model.predict(frame).iloc[:, 1:].to_numpy()
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("probabilities", numbers)]
        )
