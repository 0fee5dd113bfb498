"""A bundle in formats of others: ONNX."""

from fathometer.export.converter import Exportable as Exportable
from fathometer.export.converter import exportable as exportable
from fathometer.export.write import Exported as Exported
from fathometer.export.write import export_onnx as export_onnx
