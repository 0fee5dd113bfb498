"""The same model as an MLflow model: `python mlflow_save.py BUNDLE FOLDER`, then `mlflow models serve -m FOLDER`."""

import sys
from pathlib import Path

import mlflow.pyfunc

CODE = """
import mlflow.pyfunc
import fathometer as fm
from mlflow.models import set_model


class Served(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.model = fm.open_model(context.artifacts["bundle"])

    def predict(self, context, model_input, params=None):
        return self.model.predict(model_input)


set_model(Served())
"""

bundle, folder = sys.argv[1:3]
code = Path(folder).with_suffix(".py")
code.write_text(CODE)
mlflow.pyfunc.save_model(folder, python_model=str(code), artifacts={"bundle": bundle}, pip_requirements=[])
