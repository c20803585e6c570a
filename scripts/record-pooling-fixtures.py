"""Records what Keras 3.15 computes for pooling, resizing, padding and cropping layers: outputs and gradients by the input.
Writes test/fixtures/pooling.json.

    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-pooling-fixtures.py
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

OUT = pathlib.Path(__file__).parent.parent / "test" / "fixtures" / "pooling.json"
rng = np.random.default_rng(22)

# Our factory, shape of a sample, our options; names of Keras follow from ours. Average pooling with uneven "same" padding is
# not here: Keras on PyTorch repeats the edge there, unlike on TensorFlow and JAX (test/layers/pooling.test.ts has it by hand).
LAYERS = [
    ("maxPooling1d", [9, 3], {}),
    ("maxPooling1d", [9, 3], {"poolSize": 3, "strides": 2}),
    ("maxPooling1d", [9, 2], {"poolSize": 4, "strides": 3, "padding": "same"}),
    ("maxPooling2d", [6, 7, 3], {}),
    ("maxPooling2d", [6, 7, 2], {"poolSize": [3, 2], "strides": [1, 2]}),
    ("maxPooling2d", [7, 8, 2], {"poolSize": 3, "strides": 2, "padding": "same"}),
    ("maxPooling3d", [4, 4, 5, 2], {}),
    ("maxPooling3d", [3, 4, 5, 1], {"poolSize": [2, 3, 2], "strides": 1, "padding": "same"}),
    ("averagePooling1d", [9, 3], {"poolSize": 2}),
    ("averagePooling1d", [9, 2], {"poolSize": 3, "strides": 1, "padding": "same"}),
    ("averagePooling2d", [6, 7, 3], {"poolSize": 2}),
    ("averagePooling2d", [7, 7, 2], {"poolSize": 3, "strides": 2, "padding": "same"}),
    ("averagePooling2d", [6, 7, 2], {"poolSize": [3, 2], "strides": [1, 2]}),
    ("averagePooling3d", [4, 4, 5, 2], {"poolSize": 2}),
    ("averagePooling3d", [3, 5, 5, 1], {"poolSize": [1, 3, 3], "strides": [1, 2, 2], "padding": "same"}),
    ("globalMaxPooling1d", [5, 3], {}),
    ("globalMaxPooling2d", [4, 5, 3], {"keepDims": True}),
    ("globalMaxPooling3d", [2, 3, 2, 3], {}),
    ("globalAveragePooling1d", [5, 3], {"keepDims": True}),
    ("globalAveragePooling2d", [4, 5, 3], {}),
    ("globalAveragePooling3d", [2, 3, 2, 3], {}),
    ("adaptiveAveragePooling1d", [7, 3], {"outputSize": 3}),
    ("adaptiveAveragePooling2d", [7, 10, 2], {"outputSize": [3, 4]}),
    ("adaptiveAveragePooling3d", [3, 5, 4, 2], {"outputSize": [2, 3, 1]}),
    ("adaptiveMaxPooling1d", [7, 3], {"outputSize": 4}),
    ("adaptiveMaxPooling2d", [6, 5, 2], {"outputSize": 3}),
    ("adaptiveMaxPooling3d", [3, 5, 4, 2], {"outputSize": [2, 3, 1]}),
    ("upSampling1d", [3, 2], {}),
    ("upSampling2d", [3, 4, 2], {}),
    ("upSampling2d", [3, 2, 3], {"size": [2, 3], "interpolation": "bilinear"}),
    ("upSampling3d", [2, 2, 3, 2], {"size": [1, 2, 3]}),
    ("zeroPadding1d", [3, 2], {}),
    ("zeroPadding1d", [3, 2], {"padding": [2, 0]}),
    ("zeroPadding2d", [2, 3, 2], {}),
    ("zeroPadding2d", [2, 3, 2], {"padding": [2, 1]}),
    ("zeroPadding2d", [2, 3, 1], {"padding": [[0, 1], [2, 0]]}),
    ("zeroPadding3d", [2, 2, 2, 2], {}),
    ("zeroPadding3d", [2, 1, 2, 2], {"padding": [[0, 1], [1, 0], [2, 0]]}),
    ("cropping1d", [5, 2], {}),
    ("cropping1d", [5, 2], {"cropping": [2, 0]}),
    ("cropping2d", [4, 5, 2], {}),
    ("cropping2d", [4, 5, 2], {"cropping": [[1, 0], [2, 1]]}),
    ("cropping3d", [3, 4, 3, 2], {}),
    ("cropping3d", [3, 4, 3, 1], {"cropping": [1, 0, 1]}),
    ("resizing", [4, 5, 3], {"height": 7, "width": 3}),
    ("resizing", [6, 5, 2], {"height": 4, "width": 8, "interpolation": "nearest"}),
    ("resizing", [9, 8, 2], {"height": 3, "width": 5, "antialias": True}),
    ("resizing", [6, 9, 2], {"height": 4, "width": 4, "cropToAspectRatio": True}),
    ("resizing", [7, 4, 1], {"height": 6, "width": 6, "padToAspectRatio": True, "fillValue": 0.5}),
]


def draw(*shape):
    """Different quarters: no ties, few digits."""
    size = int(np.prod(shape))
    return ((rng.permutation(size) - size // 2) / 4).astype("float32").reshape(shape)


def plain(x):
    x = np.asarray(x)
    return {"shape": list(x.shape), "data": [int(v) if v == int(v) else float(f"{v:.9g}") for v in x.reshape(-1).tolist()]}


def snake(name):
    return "keepdims" if name == "keepDims" else "".join("_" + c.lower() if c.isupper() else c for c in name)


def make(factory, options):
    by_lower_name = {name.lower(): getattr(layers, name) for name in dir(layers)}
    values = {snake(k): tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return by_lower_name[factory.lower()](**values)


def numpy(t):
    return keras.ops.convert_to_numpy(t.detach())


def record(factory, shape, options):
    layer = make(factory, options)
    output_shape = layer(keras.Input(shape)).shape
    x = draw(2, *shape)
    tensor = keras.ops.convert_to_tensor(x)
    tensor.requires_grad_(True)
    y = layer(tensor)
    seed = draw(*y.shape)
    keras.ops.sum(y * keras.ops.convert_to_tensor(seed)).backward()
    return {
        "factory": factory,
        "options": options,
        "input": plain(x),
        "outputShape": list(output_shape),
        "output": plain(numpy(y)),
        "seed": plain(seed),
        "inputGradient": plain(numpy(tensor.grad)),
    }


value = {"keras": keras.__version__, "cases": [record(*case) for case in LAYERS]}
OUT.write_text(json.dumps(value, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size)
