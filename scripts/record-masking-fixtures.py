"""Records what Keras 3.15 does with masks: which layers pass them on, and losses, metrics and ten training steps of models
whose output has one. Writes test/fixtures/masking.json; needs what record-layer-fixtures.py needs.

    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-masking-fixtures.py
"""

import json
import os
import pathlib
import warnings

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers, ops  # noqa: E402

OUT = pathlib.Path(__file__).parent.parent / "test" / "fixtures"
rng = np.random.default_rng(33)
warnings.simplefilter("ignore")


def draw(*shape):
    """Numbers with few digits, which float32 and JSON hold alike."""
    return (rng.integers(-300, 300, shape) / 128).astype("float32")


def plain(x):
    x = np.asarray(x)
    data = x.reshape(-1).tolist()
    if x.dtype.kind == "f":
        data = [float(f"{v:.9g}") for v in data]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": data}


def padded(*shape, value=0.0, lengths=(3, 5, 0, 1)):
    """Sequences of these lengths, and one step in the middle of the second that is masked as well."""
    x = draw(*shape)
    for row, length in enumerate(lengths[: shape[0]]):
        x[row, length:] = value
    x[1, 2] = value
    return x


# ---- what becomes of the mask of a [4, 5, 3] input

x = padded(4, 5, 3)
other = padded(4, 5, 3, lengths=(5, 2, 3, 4))
masked_inputs = [plain(x), plain(other)]
passing = []
for factory, options, layer, count in [
    ("dense", {"units": 2}, layers.Dense(2), 1),
    ("activation", {"activation": "tanh"}, layers.Activation("tanh"), 1),
    ("relu", {}, layers.ReLU(), 1),
    ("leakyRelu", {}, layers.LeakyReLU(), 1),
    ("elu", {}, layers.ELU(), 1),
    ("prelu", {}, layers.PReLU(), 1),
    ("identity", {}, layers.Identity(), 1),
    ("rescaling", {"scale": 2}, layers.Rescaling(2.0), 1),
    ("dropout", {"rate": 0.5}, layers.Dropout(0.5), 1),
    ("gaussianNoise", {"stddev": 1}, layers.GaussianNoise(1.0), 1),
    ("gaussianDropout", {"rate": 0.5}, layers.GaussianDropout(0.5), 1),
    ("masking", {}, layers.Masking(), 1),
    ("masking", {"maskValue": 1}, layers.Masking(1.0), 1),
    ("flatten", {}, layers.Flatten(), 1),
    ("reshape", {"targetShape": [5, 3, 1]}, layers.Reshape((5, 3, 1)), 1),
    ("permute", {"dims": [1, 2]}, layers.Permute((1, 2)), 1),
    ("add", {}, layers.Add(), 2),
    ("add", {}, layers.Add(), -2),
    ("subtract", {}, layers.Subtract(), 2),
    ("multiply", {}, layers.Multiply(), 2),
    ("average", {}, layers.Average(), 2),
    ("maximum", {}, layers.Maximum(), 2),
    ("minimum", {}, layers.Minimum(), 2),
    ("concatenate", {}, layers.Concatenate(), 2),
    ("concatenate", {"axis": 1}, layers.Concatenate(axis=1), 2),
    ("concatenate", {"axis": 1}, layers.Concatenate(axis=1), -2),
    ("concatenate", {}, layers.Concatenate(), -2),
    ("dot", {"axes": 2}, layers.Dot(2), 2),
]:
    a = layers.Masking()(ops.convert_to_tensor(x))
    b = ops.convert_to_tensor(other)
    if count == 2:
        b = layers.Masking()(b)
    y = layer(a if count == 1 else [a, b])
    mask = getattr(y, "_keras_mask", None)
    passing.append(
        {
            "factory": factory,
            "options": options,
            "masked": [True] if count == 1 else [True, count == 2],
            "mask": None if mask is None else plain(ops.convert_to_numpy(mask)),
        }
    )

# ---- models with a mask at their output: `model` is built by the test under the same name


def steps(units, activation=None, **options):
    return keras.Sequential([keras.Input((5, 3)), layers.Masking(**options), layers.Dense(4, "tanh"), layers.Dense(units, activation)])


def merged(layer):
    a, b = keras.Input((5, 3)), keras.Input((5, 3))
    return keras.Model([a, b], layers.Dense(2)(layer([layers.Masking()(a), layers.Masking()(b)])))


def nested():
    inner = keras.Sequential([keras.Input((5, 3)), layers.Masking(), layers.Dense(4, "tanh")])
    x = keras.Input((5, 3))
    return keras.Model(x, layers.Dense(2)(inner(x)))


def dropped():
    return keras.Sequential([keras.Input((5, 3)), layers.Masking(), layers.Reshape((5, 3)), layers.Dense(2)])


def around():
    """A mask made before a model reaches a loss through it."""
    inner = keras.Sequential([keras.Input((5, 3)), layers.Dense(4, "tanh"), layers.Dropout(0.0)])
    x = keras.Input((5, 3))
    return keras.Model(x, layers.Dense(2)(inner(layers.Masking()(x))))


number = [
    ("meanAbsoluteError", "mean_absolute_error"),
    ("meanSquaredError", "mean_squared_error"),
    ("rootMeanSquaredError", keras.metrics.RootMeanSquaredError()),
    ("cosineSimilarity", "cosine_similarity"),
]
two = [padded(4, 5, 3), padded(4, 5, 3, lengths=(5, 2, 3, 4))]
one = [padded(4, 5, 3)]
cases = [
    ("steps", [2], steps(2), one, draw(4, 5, 2), "meanSquaredError", keras.losses.MeanSquaredError(), number),
    ("steps", [2], steps(2), one, draw(4, 5, 2), "logCosh", keras.losses.LogCosh(), []),
    (
        "steps",
        [3, "softmax", {"maskValue": -1}],
        steps(3, "softmax", mask_value=-1),
        [padded(4, 5, 3, value=-1)],
        rng.integers(0, 3, (4, 5)).astype("int32"),
        "sparseCategoricalCrossentropy",
        keras.losses.SparseCategoricalCrossentropy(),
        [
            ("accuracy", "accuracy"),
            ("sparseTopKCategoricalAccuracy", keras.metrics.SparseTopKCategoricalAccuracy(k=2)),
            ("sparseCategoricalCrossentropy", "sparse_categorical_crossentropy"),
        ],
    ),
    (
        "steps",
        [3, "softmax"],
        steps(3, "softmax"),
        one,
        np.eye(3, dtype="float32")[rng.integers(0, 3, (4, 5))],
        "categoricalCrossentropy",
        keras.losses.CategoricalCrossentropy(),
        [("accuracy", "accuracy"), ("categoricalAccuracy", "categorical_accuracy")],
    ),
    (
        "steps",
        [1, "sigmoid"],
        steps(1, "sigmoid"),
        one,
        rng.integers(0, 2, (4, 5, 1)).astype("float32"),
        "binaryCrossentropy",
        keras.losses.BinaryCrossentropy(),
        [
            ("accuracy", "accuracy"),
            ("binaryAccuracy", "binary_accuracy"),
            ("precision", keras.metrics.Precision()),
            ("recall", keras.metrics.Recall()),
            ("auc", keras.metrics.AUC()),
        ],
    ),
    ("steps", [2], steps(2), [padded(4, 5, 3, lengths=(0, 0, 0, 0))], draw(4, 5, 2), "meanSquaredError", keras.losses.MeanSquaredError(), number[:1]),
    ("sum", [2], steps(2), one, draw(4, 5, 2), "sum", keras.losses.MeanSquaredError(reduction="sum"), []),
    ("add", [], merged(layers.Add()), two, draw(4, 5, 2), "meanSquaredError", keras.losses.MeanSquaredError(), number),
    ("concatenate", [], merged(layers.Concatenate(axis=1)), two, draw(4, 10, 2), "meanSquaredError", keras.losses.MeanSquaredError(), number),
    ("nested", [], nested(), one, draw(4, 5, 2), "meanSquaredError", keras.losses.MeanSquaredError(), number),
    ("around", [], around(), one, draw(4, 5, 2), "meanSquaredError", keras.losses.MeanSquaredError(), number),
    ("dropped", [], dropped(), one, draw(4, 5, 2), "meanSquaredError", keras.losses.MeanSquaredError(), number),
]
trained = []
for make, args, model, inputs, targets, loss_name, loss, metrics in cases:
    weights = [draw(*w.shape) / 4 for w in model.get_weights()]
    model.set_weights(weights)
    model.compile(keras.optimizers.SGD(0.125), loss, metrics=[m for _, m in metrics])
    x = inputs if len(inputs) > 1 else inputs[0]
    logs = []
    for _ in range(10):
        values = model.train_on_batch(x, targets)
        logs.append([float(f"{float(v):.9g}") for v in np.atleast_1d(values)])
    trained.append(
        {
            "model": make,
            "args": args,
            "loss": loss_name,
            "metrics": [m for m, _ in metrics],
            "inputs": [plain(v) for v in inputs],
            "targets": plain(targets),
            "weights": [plain(w) for w in weights],
            "logs": logs,
            "after": [plain(w) for w in model.get_weights()],
            "evaluated": [float(f"{float(v):.9g}") for v in np.atleast_1d(model.evaluate(x, targets, batch_size=3, verbose=0))],
        }
    )

recorded = {"keras": keras.__version__, "inputs": masked_inputs, "passing": passing, "trained": trained}
(OUT / "masking.json").write_text(json.dumps(recorded) + "\n")
