"""The plain page at the server's root: what the model is, and a command that asks it."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from typing import Any

from fathometer.serve.desk import Desk
from fathometer.serve.examples import KEY_SHOWN, curl_line

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:3rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}pre{background:#f3f3f3;padding:1rem;white-space:pre-wrap;overflow-wrap:anywhere}"
    "td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}pre{background:#262626}a{color:#9cf}}"
)
POLICY = (
    "default-src 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may do with the page: show it. Whatever names stand in it, nothing runs and nothing is fetched."""

COLUMNS_SHOWN = 200


def page(desk: Desk, url: str, row: Mapping[str, Any]) -> bytes:
    """The page as HTML; everything that comes from the model or the request is escaped."""
    bundle, text = desk.bundle, html.escape
    columns = "".join(
        f"<tr><td>{text(column.name)}</td><td>{text(column.kind)}</td></tr>"
        for column in bundle.schema.columns[:COLUMNS_SHOWN]
    )
    further = len(bundle.schema.columns) - COLUMNS_SHOWN
    more = f"<p>And {further:,} more.</p>" if further > 0 else ""
    command = curl_line(url, row, bool(desk.settings.keys))
    key = f"<p>{KEY_SHOWN} stands for a key.</p>" if desk.settings.keys else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{text(desk.name)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{text(desk.name)}</h1><p>Version {text(desk.version)}. Predicts <b>{text(bundle.task.target)}</b>; "
        f"the {text(bundle.default)} model answers.</p><p>{text(str(bundle.about.get('verdict', '')))}</p>"
        f"<h2>Ask it</h2><pre>{text(command)}</pre>{key}"
        '<p>Everything else: <a href="/openapi.json">openapi.json</a>, <a href="/model">model</a>.</p>'
        f"<h2>Columns</h2><table><tr><th>Name<th>Kind</tr>{columns}</table>{more}</html>"
    ).encode()
