"""Records what Keras's data utilities give, for test/data. Run: KERAS_BACKEND=torch python scripts/record-data-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

SEQUENCES = [[1, 2, 3, 4, 5], [6], [], [7, 8]]

pads = []
for options in (
    {},
    {"maxlen": 3},
    {"maxlen": 3, "truncating": "post"},
    {"maxlen": 6, "padding": "post", "value": 9},
    {"maxlen": 2, "padding": "post", "truncating": "post", "dtype": "float32", "value": 0.5},
):
    out = keras.utils.pad_sequences(SEQUENCES, **options)
    pads.append({"options": options, "result": out.tolist()})

categorical = []
for labels, classes in (([0, 2, 1], None), ([[0], [3]], 5), ([[1, 0], [2, 2]], None)):
    out = keras.utils.to_categorical(np.array(labels), classes)
    categorical.append({"labels": labels, "numClasses": classes, "result": np.asarray(out).tolist()})

norms = []
x = np.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 2.5]], "float32")
for axis, order in ((-1, 2), (-1, 1), (-1, np.inf)):
    out = np.asarray(keras.utils.normalize(x, axis=axis, order=order))
    norms.append({"axis": axis, "order": "inf" if order == np.inf else order, "result": out.tolist()})

with open("test/fixtures/data.json", "w") as f:
    json.dump({"keras": keras.__version__, "sequences": SEQUENCES, "pads": pads, "categorical": categorical, "norms": norms}, f)
