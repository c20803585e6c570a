"""Records what Keras 3.15 computes for ReversibleEmbedding, forwards and back with gradients, and for AlphaDropout. Writes
test/fixtures/embedding.json; needs what record-layer-fixtures.py needs.

    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-embedding-fixtures.py
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
rng = np.random.default_rng(51)


def draw(*shape):
    return (rng.integers(-300, 300, shape) / 128).astype("float32")


def plain(x):
    x = np.asarray(x.detach() if isinstance(x, torch.Tensor) else x)
    data = x.reshape(-1).tolist()
    if x.dtype.kind == "f":
        data = [float(f"{v:.9g}") for v in data]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": data}


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


reversible = []
for options in [
    {"inputDim": 6, "outputDim": 3},
    {"inputDim": 6, "outputDim": 3, "tieWeights": False},
    {"inputDim": 5, "outputDim": 4, "logitSoftCap": 1.5},
]:
    layer = layers.ReversibleEmbedding(**{snake(k): v for k, v in options.items()})
    ids = rng.integers(0, options["inputDim"], (2, 4)).astype("int32")
    layer.build((2, 4))
    weights = [draw(*w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    mixed = layer(torch.tensor(ids)) + torch.tensor(draw(2, 4, options["outputDim"]) / 4)
    shift = mixed.detach() - layer(torch.tensor(ids)).detach()
    logits = layer(mixed, reverse=True)
    weigh = draw(*logits.shape)
    variables = [w.value for w in layer.trainable_weights]
    grads = torch.autograd.grad((logits * torch.tensor(weigh)).sum(), variables)
    reversible.append(
        {
            "options": options,
            "ids": plain(ids),
            "shift": plain(shift),
            "weights": [plain(w) for w in weights],
            "logits": plain(logits),
            "weigh": plain(weigh),
            "grads": [plain(g) for g in grads],
        }
    )

# The two lines an input may be put on: what is kept and what is dropped.
alpha = []
for rate in [0.1, 0.5, 0.8]:
    x = np.full((4096,), 0.75, "float32")
    y = np.asarray(layers.AlphaDropout(rate, seed=1)(x, training=True).cpu())
    alpha.append({"rate": rate, "values": sorted({float(f"{v:.6g}") for v in y.tolist()})})

fixture = {"keras": keras.__version__, "reversible": reversible, "alphaDropout": alpha}
(OUT / "embedding.json").write_text(json.dumps(fixture) + "\n")
