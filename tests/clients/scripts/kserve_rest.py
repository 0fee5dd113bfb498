"""Ask with KServe's own REST client, by version 1 and 2; runs where that is installed."""

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig

asked = json.load(sys.stdin)
url, model, rows, columns = asked["url"], asked["model"], asked["rows"], asked["columns"]


def tensors(is_binary: bool) -> list:
    inputs = []
    for name, datatype in columns.items():
        cells = [row[name] for row in rows]
        if datatype == "BYTES":
            values = np.array([(cell or "").encode() for cell in cells], dtype=object)
        else:
            values = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
        tensor = InferInput(name, [len(cells)], datatype)
        tensor.set_data_from_numpy(values, binary_data=is_binary)
        inputs.append(tensor)
    return inputs


async def version_1() -> dict:
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    wanted = {"instances": rows, "parameters": {"output": "probabilities"}}
    told = {
        "live": await client.is_server_live(url),
        "ready": await client.is_model_ready(url, model),
        "labels": (await client.infer(url, {"instances": rows}, model_name=model))["predictions"],
        "probabilities": (await client.infer(url, wanted, model_name=model))["predictions"],
        "explained": await client.explain(url, model, {"instances": rows[:1]}),
    }
    try:
        await client.infer(url, {"instances": [{"size": 1}]}, model_name=model)
    except httpx.HTTPStatusError as error:
        told["error"] = str(error)
    await client.close()
    return told


async def version_2() -> dict:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    told = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model ready": await client.is_model_ready(url, model),
        "no such model": await client.is_model_ready(url, "nobody"),
        "answers": {},
    }
    for is_binary in (False, True):
        for returned in (False, True):
            parameters = {"binary_data_output": True} if returned else {}
            request = InferRequest(
                model_name=model,
                request_id="mine",
                infer_inputs=tensors(is_binary),
                parameters=parameters,
            )
            response = await client.infer(url, request, model_name=model)
            outputs = {output.name: output for output in response.outputs}
            labels = outputs["prediction"].as_numpy().tolist()
            told["answers"][f"{is_binary} {returned}"] = {
                "id": response.id,
                "prediction": [cell.decode() if isinstance(cell, bytes) else cell for cell in labels],
                "probabilities": outputs["probabilities"].as_numpy().tolist(),
            }
    await client.close()
    return told


print(json.dumps({"1": asyncio.run(version_1()), "2": asyncio.run(version_2())}))
