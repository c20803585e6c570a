"""Records what Keras 3.15 computes for convolution layers: outputs, gradients by input and weights, and ten training steps.
Writes test/fixtures/conv.json.

    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-conv-fixtures.py
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

OUT = pathlib.Path(__file__).parent.parent / "test" / "fixtures" / "conv.json"
rng = np.random.default_rng(21)

# Our factory, shape of a sample, our options; names of Keras follow from ours.
LAYERS = [
    ("conv1d", [9, 3], {"filters": 4, "kernelSize": 3}),
    ("conv1d", [9, 3], {"filters": 4, "kernelSize": 2, "strides": 2, "padding": "same", "activation": "relu"}),
    ("conv1d", [9, 3], {"filters": 2, "kernelSize": 3, "padding": "causal", "dilationRate": 2}),
    ("conv1d", [10, 2], {"filters": 2, "kernelSize": 3, "padding": "causal", "strides": 3, "useBias": False}),
    ("conv1d", [7, 4], {"filters": 6, "kernelSize": 3, "groups": 2, "activation": "tanh"}),
    ("conv2d", [5, 6, 2], {"filters": 3, "kernelSize": 3}),
    ("conv2d", [5, 6, 2], {"filters": 3, "kernelSize": [2, 3], "padding": "same", "activation": "relu"}),
    ("conv2d", [6, 7, 2], {"filters": 3, "kernelSize": 3, "strides": 2, "padding": "same"}),
    ("conv2d", [7, 7, 1], {"filters": 2, "kernelSize": 4, "strides": [3, 2], "useBias": False}),
    ("conv2d", [7, 8, 2], {"filters": 2, "kernelSize": 3, "dilationRate": [2, 1], "padding": "same"}),
    ("conv2d", [4, 4, 4], {"filters": 4, "kernelSize": 3, "groups": 4, "padding": "same"}),
    ("conv2d", [3, 3, 4], {"filters": 5, "kernelSize": 1, "activation": "sigmoid"}),
    ("conv3d", [3, 4, 4, 2], {"filters": 2, "kernelSize": 2}),
    ("conv3d", [3, 4, 5, 1], {"filters": 2, "kernelSize": [3, 2, 3], "strides": [1, 2, 2], "padding": "same"}),
    ("conv3d", [3, 3, 3, 2], {"filters": 4, "kernelSize": 2, "groups": 2, "dilationRate": 2}),
    ("conv1dTranspose", [4, 3], {"filters": 2, "kernelSize": 3}),
    ("conv1dTranspose", [4, 3], {"filters": 2, "kernelSize": 4, "strides": 2, "padding": "same"}),
    ("conv1dTranspose", [4, 2], {"filters": 2, "kernelSize": 2, "strides": 3, "outputPadding": 1}),
    ("conv1dTranspose", [5, 2], {"filters": 1, "kernelSize": 3, "dilationRate": 2, "padding": "same"}),
    ("conv2dTranspose", [3, 4, 2], {"filters": 3, "kernelSize": 3}),
    ("conv2dTranspose", [3, 4, 2], {"filters": 3, "kernelSize": 3, "strides": 2, "padding": "same", "activation": "relu"}),
    ("conv2dTranspose", [3, 3, 2], {"filters": 1, "kernelSize": [3, 2], "strides": [2, 3], "useBias": False}),
    ("conv2dTranspose", [3, 3, 2], {"filters": 2, "kernelSize": 3, "strides": 2, "padding": "same", "outputPadding": 1}),
    ("conv2dTranspose", [3, 3, 2], {"filters": 2, "kernelSize": 3, "strides": 2, "padding": "same", "outputPadding": 0}),
    ("conv2dTranspose", [3, 3, 1], {"filters": 2, "kernelSize": 2, "strides": 2, "outputPadding": [0, 1]}),
    ("conv3dTranspose", [2, 3, 2, 2], {"filters": 2, "kernelSize": 2, "strides": 2}),
    ("conv3dTranspose", [2, 2, 3, 1], {"filters": 2, "kernelSize": [2, 3, 2], "padding": "same"}),
    ("depthwiseConv1d", [8, 3], {"kernelSize": 3}),
    ("depthwiseConv1d", [8, 2], {"kernelSize": 3, "strides": 2, "padding": "same", "depthMultiplier": 2}),
    ("depthwiseConv2d", [5, 5, 3], {"kernelSize": 3, "padding": "same", "activation": "relu"}),
    ("depthwiseConv2d", [6, 6, 2], {"kernelSize": 3, "strides": 2, "padding": "same", "depthMultiplier": 3}),
    ("depthwiseConv2d", [6, 6, 2], {"kernelSize": [3, 2], "dilationRate": 2, "useBias": False}),
    ("separableConv1d", [8, 3], {"filters": 4, "kernelSize": 3, "activation": "tanh"}),
    ("separableConv2d", [5, 6, 2], {"filters": 3, "kernelSize": 3, "padding": "same", "depthMultiplier": 2}),
    ("separableConv2d", [6, 6, 2], {"filters": 2, "kernelSize": 3, "strides": 2, "useBias": False}),
]

TRAININGS = [
    ("conv1d", [9, 3], {"filters": 4, "kernelSize": 3, "padding": "causal", "activation": "tanh"}),
    ("conv2d", [6, 6, 2], {"filters": 3, "kernelSize": 3, "strides": 2, "padding": "same", "activation": "relu"}),
    ("conv2dTranspose", [3, 4, 2], {"filters": 3, "kernelSize": 3, "strides": 2, "padding": "same"}),
    ("depthwiseConv2d", [5, 5, 3], {"kernelSize": 3, "depthMultiplier": 2}),
    ("separableConv2d", [5, 6, 2], {"filters": 3, "kernelSize": 3, "padding": "same"}),
]


def draw(*shape):
    """Quarters, whose sums of products float32 holds exactly and JSON in few digits."""
    return (rng.integers(-6, 7, shape) / 4).astype("float32")


def plain(x):
    x = np.asarray(x)
    return {"shape": list(x.shape), "data": [int(v) if v == int(v) else float(f"{v:.9g}") for v in x.reshape(-1).tolist()]}


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def make(factory, options):
    by_lower_name = {name.lower(): getattr(layers, name) for name in dir(layers)}
    return by_lower_name[factory.lower()](**{snake(k): v for k, v in options.items()})


def numpy(t):
    return keras.ops.convert_to_numpy(t.detach())


def record_layer(factory, shape, options):
    layer = make(factory, options)
    output_shape = layer(keras.Input(shape)).shape
    layer.set_weights([draw(*w.shape) for w in layer.get_weights()])
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
        "weightNames": [w.name for w in layer.weights],
        "weights": [plain(w) for w in layer.get_weights()],
        "outputShape": list(output_shape),
        "output": plain(numpy(y)),
        "seed": plain(seed),
        "inputGradient": plain(numpy(tensor.grad)),
        "weightGradients": [plain(numpy(w.value.grad)) for w in layer.weights],
    }


def record_training(factory, shape, options):
    layer = make(factory, options)
    model = keras.Sequential([keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)])
    model.set_weights([draw(*w.shape) / 4 for w in model.get_weights()])
    start = [plain(w) for w in model.get_weights()]
    x, y = draw(4, *shape), draw(4, 2)
    model.compile(optimizer=keras.optimizers.SGD(0.02, momentum=0.9), loss="mse")
    losses = [float(model.train_on_batch(x, y)) for _ in range(10)]
    return {
        "factory": factory,
        "options": options,
        "x": plain(x),
        "y": plain(y),
        "weights": start,
        "losses": losses,
        "after": [plain(w) for w in model.get_weights()],
    }


value = {
    "keras": keras.__version__,
    "cases": [record_layer(*case) for case in LAYERS],
    "trainings": [record_training(*case) for case in TRAININGS],
}
OUT.write_text(json.dumps(value, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size)
