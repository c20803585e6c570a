"""Records what Keras 3.15 computes for its normalization layers: outputs in both modes, gradients, statistics after training
calls, and ten optimizer steps. Writes test/fixtures/normalization.json.

    KERAS_BACKEND=torch python scripts/record-normalization-fixtures.py
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from keras import layers  # noqa: E402

OUT = pathlib.Path(__file__).parent.parent / "test" / "fixtures"
rng = np.random.default_rng(31)


def draw(*shape):
    """Numbers with few digits, which float32 and JSON hold alike."""
    return (rng.integers(-300, 300, shape) / 128).astype("float32")


def plain(x):
    x = keras.ops.convert_to_numpy(x)
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": [float(f"{v:.9g}") for v in x.reshape(-1).tolist()]}


def positive(w):
    """Variances and factors."""
    return np.abs(draw(*w.shape)) + np.float32(0.25)


x56, x345, image = draw(5, 6), draw(3, 4, 5), draw(2, 3, 3, 4)

MASK = np.array([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)

LAYERS = [
    ("batchNormalization", {}, layers.BatchNormalization(), x56),
    ("batchNormalization", {}, layers.BatchNormalization(), image),
    ("batchNormalization", {"axis": 1, "momentum": 0.8, "epsilon": 0.01}, layers.BatchNormalization(1, 0.8, 0.01), image),
    ("batchNormalization", {"center": False}, layers.BatchNormalization(center=False), x345),
    ("batchNormalization", {"scale": False}, layers.BatchNormalization(scale=False), x345),
    ("batchNormalization", {"scale": False, "center": False}, layers.BatchNormalization(scale=False, center=False), x345),
    ("batchNormalization", {"momentum": 0.7}, layers.BatchNormalization(momentum=0.7), x345, MASK),
    ("batchNormalization", {"trainable": False}, layers.BatchNormalization(trainable=False), x56),
    ("layerNormalization", {}, layers.LayerNormalization(), x56),
    ("layerNormalization", {"epsilon": 1e-5}, layers.LayerNormalization(epsilon=1e-5), x345),
    ("layerNormalization", {"axis": [1, 2]}, layers.LayerNormalization([1, 2]), x345),
    ("layerNormalization", {"axis": [1, 3]}, layers.LayerNormalization([1, 3]), image),
    # An axis in the middle alone is an error of Keras's torch backend.
    ("layerNormalization", {"axis": [1, 3], "scale": False}, layers.LayerNormalization([1, 3], scale=False), image),
    ("layerNormalization", {"center": False}, layers.LayerNormalization(center=False), x345),
    ("layerNormalization", {"rmsScaling": True}, layers.LayerNormalization(rms_scaling=True), x345),
    ("groupNormalization", {"groups": 2}, layers.GroupNormalization(2), image),
    ("groupNormalization", {"groups": -1}, layers.GroupNormalization(-1), image),
    ("groupNormalization", {"groups": 3, "axis": 1}, layers.GroupNormalization(3, axis=1), image),
    ("groupNormalization", {"groups": 2, "scale": False}, layers.GroupNormalization(2, scale=False), x56),
    ("groupNormalization", {"groups": 1, "center": False}, layers.GroupNormalization(1, center=False), x345),
    ("rmsNormalization", {}, layers.RMSNormalization(), x345),
    ("rmsNormalization", {"axis": [1, 2], "epsilon": 0.1}, layers.RMSNormalization([1, 2], 0.1), x345),
    ("unitNormalization", {}, layers.UnitNormalization(), x345),
    ("unitNormalization", {"axis": [1, 2]}, layers.UnitNormalization([1, 2]), image),
]


RENORM = [
    ("batchNormalization", {"renorm": True}, layers.BatchNormalization(renorm=True), x56),
    (
        "batchNormalization",
        {"renorm": True, "renormClipping": {"rmin": 0.5, "rmax": 1.25, "dmax": 0.375}, "renormMomentum": 0.7, "scale": False},
        layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 0.5, "rmax": 1.25, "dmax": 0.375}, renorm_momentum=0.7, scale=False),
        image,
    ),
    ("batchNormalization", {"renorm": True, "momentum": 0.7}, layers.BatchNormalization(renorm=True, momentum=0.7), x345, MASK),
]


def record(factory, options, layer, x, mask=None):
    layer.build(x.shape)
    layer.set_weights([positive(w) if any(n in w.name for n in ("variance", "gamma", "stddev")) else draw(*w.shape) for w in layer.weights])
    before = [plain(w) for w in layer.weights]
    training = {"training": True} if layer_takes_training(layer) else {}
    if mask is not None:
        training["mask"] = mask
    inference = plain(layer(x, training=False) if layer_takes_training(layer) else layer(x))
    tensor = torch.tensor(x, requires_grad=True)
    dy = draw(*x.shape)
    output = layer(tensor, **training)
    wanted = [tensor] + [w.value for w in layer.trainable_weights]
    gradients = torch.autograd.grad((output * torch.tensor(dy)).sum(), wanted)
    for _ in range(2 if layer_takes_training(layer) else 0):
        layer(x, **training)
    return {
        "factory": factory,
        "options": options,
        "x": plain(x),
        "dy": plain(dy),
        **({} if mask is None else {"mask": mask.astype(int).tolist()}),
        "weightNames": [w.name for w in layer.weights],
        "weights": before,
        "inference": inference,
        "training": plain(output.detach()),
        "gradients": [plain(g) for g in gradients],
        "after": [plain(w) for w in layer.weights],
    }


def layer_takes_training(layer):
    return isinstance(layer, layers.BatchNormalization)


def spectral(units=4, **options):
    return layers.SpectralNormalization(layers.Dense(units), **options)


RUNS = [
    ("batchNormalization", {}, layers.BatchNormalization()),
    ("batchNormalization", {"momentum": 0.5, "scale": False}, layers.BatchNormalization(momentum=0.5, scale=False)),
    ("layerNormalization", {}, layers.LayerNormalization()),
    ("groupNormalization", {"groups": 2}, layers.GroupNormalization(2)),
    ("rmsNormalization", {}, layers.RMSNormalization()),
    ("unitNormalization", {}, layers.UnitNormalization()),
    ("spectralNormalization", {}, spectral()),
    ("spectralNormalization", {"powerIterations": 3}, spectral(power_iterations=3)),
]


def train(factory, options, layer):
    """Ten Adam steps of dense, the layer, dense on one batch; then a prediction, which uses moving statistics."""
    x, y = draw(8, 3), draw(8, 2)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(6, activation="tanh"), layer, layers.Dense(2)])
    model.set_weights([positive(w) if any(n in w.name for n in ("variance", "gamma", "stddev")) else draw(*w.shape) / 2 for w in model.weights])
    before = [plain(w) for w in model.weights]
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.02), loss="mse")
    losses = [float(model.train_on_batch(x, y)) for _ in range(10)]
    return {
        "factory": factory,
        "options": options,
        "x": plain(x),
        "y": plain(y),
        "weights": before,
        "losses": losses,
        "after": [plain(w) for w in model.weights],
        "predicted": plain(model.predict(x, verbose=0)),
    }


result = {
    "keras": keras.__version__,
    "layers": [record(*case) for case in LAYERS],
    "runs": [train(*case) for case in RUNS],
}
result["layers"] += [record(*case) for case in RENORM]
(OUT / "normalization.json").write_text(json.dumps(result) + "\n")
