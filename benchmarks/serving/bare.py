"""The least a server can do: a model call in a bare ASGI app. Nothing is checked, logged, counted or limited.

`python bare.py PORT BUNDLE`
"""

from __future__ import annotations

import sys
from typing import Any

import orjson
import pandas as pd
import uvicorn

import fathometer as fm

MODEL = fm.open_model(sys.argv[2])


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Rows in, probabilities out."""
    if scope["type"] != "http":
        return
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    frame = pd.DataFrame(orjson.loads(b"".join(parts) or b'{"rows":[]}')["rows"])
    answers = MODEL.predict(frame) if len(frame) else frame
    body = orjson.dumps(answers.to_dict("records"))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off"
    )
