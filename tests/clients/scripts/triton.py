"""Ask with NVIDIA's tritonclient, in every combination of JSON and binary; runs where that is installed."""

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

asked = json.load(sys.stdin)
model, rows = asked["model"], asked["rows"]
client = triton.InferenceServerClient(asked["host"])
told = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model ready": client.is_model_ready(model),
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata(model),
    "index": client.get_model_repository_index(),
    "answers": {},
    "errors": [],
}


def inputs_of(is_binary: bool) -> list:
    inputs = []
    for column in told["model"]["inputs"]:
        cells = [row[column["name"]] for row in rows]
        tensor = triton.InferInput(column["name"], [len(cells)], column["datatype"])
        if column["datatype"] == "BYTES":
            values = np.array([(cell or "").encode() for cell in cells], dtype=object)
        else:
            values = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
        tensor.set_data_from_numpy(values, binary_data=is_binary)
        inputs.append(tensor)
    return inputs


def as_json(result) -> dict:
    prediction = result.as_numpy("prediction")
    return {
        "prediction": [cell.decode() if isinstance(cell, bytes) else cell for cell in prediction.tolist()],
        "probabilities": result.as_numpy("probabilities").tolist(),
        "id": result.get_response()["id"],
    }


for sent in (True, False):
    for received in (True, False):
        outputs = [
            triton.InferRequestedOutput(name, binary_data=received)
            for name in ("prediction", "probabilities")
        ]
        result = client.infer(model, inputs_of(sent), outputs=outputs, request_id="mine")
        told["answers"][f"{sent} {received}"] = as_json(result)
told["answers"]["by default"] = as_json(client.infer(model, inputs_of(True), request_id="mine"))
told["answers"]["not waited for"] = as_json(
    client.async_infer(model, inputs_of(True), request_id="mine").get_result()
)
top = triton.InferRequestedOutput("probabilities", class_count=2, binary_data=True)
likeliest = client.infer(model, inputs_of(True), outputs=[top]).as_numpy("probabilities")
told["likeliest"] = [[cell.decode() for cell in row] for row in likeliest.tolist()]

short = triton.InferInput("size", [1], "FP64")
short.set_data_from_numpy(np.zeros(1))
for name, inputs, kwargs in [
    ("nobody", inputs_of(True), {}),
    (model, [short], {}),
    (model, inputs_of(True), {"outputs": [triton.InferRequestedOutput("nothing")]}),
    (model, inputs_of(True), {"request_compression_algorithm": "gzip"}),
]:
    try:
        client.infer(name, inputs, **kwargs)
    except InferenceServerException as error:
        told["errors"].append([error.status(), error.message()])
print(json.dumps(told))
