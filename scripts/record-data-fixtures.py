"""Records what Keras's data utilities give, for test/data. Run: KERAS_BACKEND=torch python scripts/record-data-fixtures.py"""

import json
import os
import types

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
from keras.src.utils import timeseries_dataset_utils as timeseries_utils

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
for axis, order in ((-1, 2), (-1, 1), (-1, np.inf), (0, 2), (1, 3)):
    # With NumPy arrays Keras 3.15 mistakes axis 0 for none.
    given = keras.ops.convert_to_tensor(x) if axis == 0 else x
    out = keras.ops.convert_to_numpy(keras.utils.normalize(given, axis=axis, order=order))
    norms.append({"axis": axis, "order": "inf" if order == np.inf else order, "result": out.tolist()})

VECTORS = [[[1, 2], [3, 4], [5, 6]], [], [[7, 8]]]
vector_pads = []
for options in ({}, {"maxlen": 2, "padding": "post", "truncating": "post", "value": -1}):
    out = keras.utils.pad_sequences(VECTORS, **options)
    vector_pads.append({"options": options, "result": out.tolist()})


class Listed(list):
    """Stands in for grain's datasets, which only carry what Keras computes."""

    def to_iter_dataset(self):
        return self


timeseries_utils.grain = types.SimpleNamespace(
    MapDataset=types.SimpleNamespace(source=Listed),
    experimental=types.SimpleNamespace(ZipMapDataset=lambda parts: Listed(zip(*parts))),
)
series = []
data = np.arange(12.0)
for targets, options in (
    (None, {"sequence_length": 4}),
    (None, {"sequence_length": 3, "sequence_stride": 2, "sampling_rate": 3}),
    (None, {"sequence_length": 2, "sequence_stride": 3, "start_index": 2, "end_index": 9}),
    (data[3:], {"sequence_length": 3}),
    (data * 10, {"sequence_length": 2, "sampling_rate": 2, "sequence_stride": 2, "start_index": 1, "end_index": 11}),
):
    out = keras.utils.timeseries_dataset_from_array(data, targets, batch_size=None, format="grain", **options)
    windows = [w[0].tolist() if targets is not None else w.tolist() for w in out]
    picked = [float(w[1]) for w in out] if targets is not None else None
    given = None if targets is None else targets.tolist()
    series.append({"options": options, "targets": given, "windows": windows, "picked": picked})

with open("test/fixtures/data.json", "w") as f:
    json.dump({"keras": keras.__version__, "vectors": VECTORS, "vectorPads": vector_pads, "series": series, "sequences": SEQUENCES, "pads": pads, "categorical": categorical, "norms": norms}, f)
