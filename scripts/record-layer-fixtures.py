"""Records what Keras 3.15 computes for layers, activations, initializers and layer order: the outside judge of src/layers,
src/initializers and src/models. Writes test/fixtures/{layers,activations,initializers,topology}.json and outside.safetensors.

    python -m venv keras-venv && keras-venv/bin/pip install keras==3.15.1 torch==2.13.0 numpy
    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-layer-fixtures.py
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402
from keras.src.initializers.random_initializers import compute_fans  # noqa: E402

OUT = pathlib.Path(__file__).parent.parent / "test" / "fixtures"
rng = np.random.default_rng(20)


def draw(*shape):
    """Numbers with few digits, which float32 and JSON hold alike."""
    return (rng.integers(-300, 300, shape) / 128).astype("float32")


def plain(x):
    x = np.asarray(x)
    data = x.reshape(-1).tolist()
    if x.dtype.kind == "f":
        data = [float(f"{v:.9g}") for v in data]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": data}


def number(v):
    return float(f"{float(v):.9g}")


def save(name, value):
    (OUT / f"{name}.json").write_text(json.dumps({"keras": keras.__version__, "cases": value}) + "\n")


# ---- layers: (our factory, our options, Keras layer, inputs)

x24, y24 = draw(2, 4), draw(2, 4)
x234 = draw(2, 3, 4)
image = draw(2, 3, 3, 2)

LAYERS = [
    ("dense", {"units": 3}, layers.Dense(3), [x24]),
    ("dense", {"units": 3, "useBias": False, "activation": "tanh"}, layers.Dense(3, use_bias=False, activation="tanh"), [x24]),
    ("dense", {"units": 5, "activation": "softmax"}, layers.Dense(5, activation="softmax"), [x234]),
    ("dense", {"units": 2, "activation": "gelu"}, layers.Dense(2, activation="gelu"), [image]),
    ("activation", {"activation": "selu"}, layers.Activation("selu"), [x24]),
    ("relu", {}, layers.ReLU(), [x24]),
    ("relu", {"maxValue": 1, "negativeSlope": 0.25, "threshold": 0.5}, layers.ReLU(1, 0.25, 0.5), [x234]),
    ("relu", {"maxValue": 1.5}, layers.ReLU(1.5), [x234]),
    ("relu", {"threshold": 0.75}, layers.ReLU(threshold=0.75), [x234]),
    ("relu", {"negativeSlope": 0.5}, layers.ReLU(negative_slope=0.5), [x234]),
    ("leakyRelu", {}, layers.LeakyReLU(), [x24]),
    ("leakyRelu", {"negativeSlope": 0.1}, layers.LeakyReLU(0.1), [x24]),
    ("elu", {}, layers.ELU(), [x24]),
    ("elu", {"alpha": 0.5}, layers.ELU(0.5), [x24]),
    ("softmax", {}, layers.Softmax(), [x234]),
    ("softmax", {"axis": 1}, layers.Softmax(axis=1), [x234]),
    ("prelu", {}, layers.PReLU(), [x234]),
    ("prelu", {"sharedAxes": [1, 2]}, layers.PReLU(shared_axes=[1, 2]), [image]),
    ("flatten", {}, layers.Flatten(), [image]),
    ("flatten", {}, layers.Flatten(), [draw(3)]),
    ("reshape", {"targetShape": [2, -1]}, layers.Reshape((2, -1)), [x234]),
    ("reshape", {"targetShape": [12]}, layers.Reshape((12,)), [x234]),
    ("permute", {"dims": [2, 1]}, layers.Permute((2, 1)), [x234]),
    ("permute", {"dims": [3, 1, 2]}, layers.Permute((3, 1, 2)), [image]),
    ("repeatVector", {"n": 3}, layers.RepeatVector(3), [x24]),
    ("rescaling", {"scale": 0.5, "offset": -1}, layers.Rescaling(0.5, -1.0), [x234]),
    ("rescaling", {"scale": [0.5, 2], "offset": [1, 0]}, layers.Rescaling([0.5, 2.0], [1.0, 0.0]), [image]),
    ("dropout", {"rate": 0.5}, layers.Dropout(0.5), [x24]),
    ("gaussianNoise", {"stddev": 1}, layers.GaussianNoise(1.0), [x24]),
    ("gaussianDropout", {"rate": 0.5}, layers.GaussianDropout(0.5), [x24]),
    ("add", {}, layers.Add(), [x24, y24, x24]),
    ("add", {}, layers.Add(), [x24, draw(2, 3, 4)]),
    ("subtract", {}, layers.Subtract(), [x24, y24]),
    ("multiply", {}, layers.Multiply(), [x24, y24]),
    ("multiply", {}, layers.Multiply(), [draw(2, 1, 4), x234]),
    ("average", {}, layers.Average(), [x24, y24, y24]),
    ("maximum", {}, layers.Maximum(), [x24, y24]),
    ("minimum", {}, layers.Minimum(), [x24, y24]),
    ("concatenate", {}, layers.Concatenate(), [x24, draw(2, 1)]),
    ("concatenate", {"axis": 1}, layers.Concatenate(axis=1), [x234, draw(2, 2, 4), draw(2, 1, 4)]),
    ("dot", {"axes": 1}, layers.Dot(1), [x24, y24]),
    ("dot", {"axes": 2}, layers.Dot(2), [x234, draw(2, 5, 4)]),
    ("dot", {"axes": [2, 1]}, layers.Dot((2, 1)), [x234, draw(2, 4, 5)]),
    ("dot", {"axes": [1, 2], "normalize": True}, layers.Dot((1, 2), normalize=True), [x234, draw(2, 5, 3)]),
    ("dot", {"axes": -1, "normalize": True}, layers.Dot(-1, normalize=True), [x24, y24]),
]

cases = []
for factory, options, layer, inputs in LAYERS:
    symbolic = [keras.Input(x.shape[1:]) for x in inputs]
    shape = layer(symbolic if len(symbolic) > 1 else symbolic[0]).shape
    layer.set_weights([draw(*w.shape) for w in layer.get_weights()])
    output = keras.ops.convert_to_numpy(layer(inputs if len(inputs) > 1 else inputs[0]))
    cases.append(
        {
            "factory": factory,
            "options": options,
            "inputs": [plain(x) for x in inputs],
            "weightNames": [w.name for w in layer.weights],
            "weights": [plain(w) for w in layer.get_weights()],
            "outputShape": list(shape),
            "output": plain(output),
        }
    )
save("layers", cases)

# ---- activation functions by name

NAMES = """celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
log_softmax mish relu relu6 selu sigmoid silu softmax softplus soft_shrink softsign sparsemax sparse_plus sparse_sigmoid
squareplus swish tanh tanh_shrink""".split()
points = np.array(
    [[-30, -8, -3.5, -3, -2.5, -1.25, -1, -0.75], [-0.5, -0.25, -1e-3, 0, 1e-3, 0.25, 0.5, 0.75], [1, 1.25, 2.5, 3, 3.5, 6.5, 8, 30]],
    dtype="float32",
)
save(
    "activations",
    {
        "points": plain(points),
        "outputs": {name: plain(keras.ops.convert_to_numpy(keras.activations.get(name)(points))) for name in NAMES},
    },
)

# ---- initializers: fans, and the distribution of many draws

INITIALIZERS = [
    ("randomNormal", {}, keras.initializers.RandomNormal(seed=1)),
    ("randomNormal", {"mean": 1, "stddev": 2}, keras.initializers.RandomNormal(1.0, 2.0, seed=1)),
    ("randomUniform", {}, keras.initializers.RandomUniform(seed=1)),
    ("truncatedNormal", {}, keras.initializers.TruncatedNormal(seed=1)),
    ("glorotUniform", {}, keras.initializers.GlorotUniform(seed=1)),
    ("glorotNormal", {}, keras.initializers.GlorotNormal(seed=1)),
    ("heUniform", {}, keras.initializers.HeUniform(seed=1)),
    ("heNormal", {}, keras.initializers.HeNormal(seed=1)),
    ("lecunUniform", {}, keras.initializers.LecunUniform(seed=1)),
    ("lecunNormal", {}, keras.initializers.LecunNormal(seed=1)),
    ("varianceScaling", {}, keras.initializers.VarianceScaling(seed=1)),
    (
        "varianceScaling",
        {"scale": 3, "mode": "fanOut", "distribution": "untruncatedNormal"},
        keras.initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=1),
    ),
]
draws = []
for factory, options, initializer in INITIALIZERS:
    for shape in [(400, 600), (3, 3, 64, 300)]:
        values = keras.ops.convert_to_numpy(initializer(shape)).astype("float64")
        draws.append(
            {
                "factory": factory,
                "options": options,
                "shape": list(shape),
                "mean": number(values.mean()),
                "stddev": number(values.std()),
                "min": number(values.min()),
                "max": number(values.max()),
                "quantiles": [number(q) for q in np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9])],
            }
        )
fans = [{"shape": list(s), "fans": list(compute_fans(s))} for s in [(), (7,), (3, 5), (2, 3, 5), (3, 4, 5, 6)]]
stft = [
    {
        "options": {"side": side, "window": window, "scaling": scaling, "periodic": periodic},
        "shape": [6, 1, bins],
        "values": [number(v) for v in keras.ops.convert_to_numpy(keras.initializers.STFT(side, window, scaling, periodic)((6, 1, bins))).ravel()],
    }
    for side, window, scaling, periodic, bins in [
        ("real", "hann", "density", False, 4),
        ("imag", "hamming", "spectrum", True, 5),
        ("imag", None, "density", False, 4),
        ("real", "hann", None, True, 3),
    ]
]
save("initializers", {"draws": draws, "fans": fans, "stft": stft})

# ---- the order of layers and weights of models whose branches have different lengths


def residual():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(5, name="shared")
    left = shared(layers.Dense(4, name="left")(a))
    right = shared(a)
    late = layers.Dense(5, name="late")(b)
    total = layers.Add(name="total")([left, right, late])
    side = layers.Dense(2, name="side")(left)
    return keras.Model([b, a], [layers.Dense(1, name="head")(total), side])


def nested():
    inner_in = keras.Input((5,), name="inner_in")
    inner = keras.Model(inner_in, layers.Dense(5, name="inner_dense")(layers.PReLU(name="slope")(inner_in)), name="inner")
    x = keras.Input((5,), name="x")
    skip = layers.Dense(5, name="skip")(x)
    return keras.Model(x, layers.Concatenate(name="join")([inner(skip), inner(x), x]))


save(
    "topology",
    {
        make.__name__: {
            "layers": [l.name for l in model.layers],
            "weights": [w.path for w in model.weights],
            "count": model.count_params(),
        }
        for make in (residual, nested)
        for model in [make()]
    },
)

# ---- a safetensors file written by the format's own library (pip install safetensors)

try:
    from safetensors.numpy import save_file
except ImportError:
    print("safetensors is not installed: test/fixtures/outside.safetensors is left as it is")
else:
    save_file(
        {
            "w": np.array([[1.5, -2], [3, 4]], dtype="float32"),
            "i": np.array([1, -2], dtype="int32"),
            "u": np.array([0, 255], dtype="uint8"),
            "b": np.array([True, False, True]),
            "s": np.array(7, dtype="float32"),
            "none": np.zeros((0, 3), dtype="float32"),
        },
        OUT / "outside.safetensors",
        {"made by": "safetensors for Python"},
    )
