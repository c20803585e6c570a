"""Records Keras training steps of layers with regularizers and constraints, for test/layers/regularization.test.ts.
Run: KERAS_BACKEND=torch python scripts/record-regularization-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
from keras import constraints as c
from keras import regularizers as r


def wave(shape, shift):
    n = int(np.prod(shape))
    return np.round(np.sin(np.arange(n) * 1.7 + shift), 3).astype("float32").reshape(shape)


L = keras.layers
CASES = {
    "dense": (L.Dense(3, kernel_regularizer=r.L2(0.1), bias_regularizer=r.L1(0.2), activity_regularizer=r.L1L2(0.03, 0.05),
                      kernel_constraint=c.MaxNorm(0.7), bias_constraint=c.NonNeg()), (4,)),
    "orthogonalRows": (L.Dense(3, kernel_regularizer=r.OrthogonalRegularizer(0.5)), (4,)),
    "orthogonalColumns": (L.Dense(3, kernel_regularizer=r.OrthogonalRegularizer(0.5, mode="columns")), (4,)),
    "named": (L.Dense(3, kernel_regularizer="l1", bias_regularizer="l2", activity_regularizer="l2"), (4,)),
    "einsumDense": (L.EinsumDense("abc,cd->abd", (2, 3), bias_axes="d", kernel_regularizer=r.L2(0.1),
                                  bias_constraint=c.NonNeg(), kernel_constraint=c.UnitNorm(axis=0)), (2, 4)),
    "conv2d": (L.Conv2D(2, 2, kernel_regularizer=r.L1(0.1), bias_regularizer=r.L2(0.1), activity_regularizer=r.L2(0.01),
                        kernel_constraint=c.MinMaxNorm(0.2, 0.9, rate=0.5, axis=[0, 1, 2])), (4, 4, 2)),
    "depthwiseConv2d": (L.DepthwiseConv2D(2, depthwise_regularizer=r.L2(0.1), depthwise_constraint=c.MaxNorm(0.5, axis=[0, 1])), (4, 4, 2)),
    "separableConv2d": (L.SeparableConv2D(2, 2, depthwise_regularizer=r.L2(0.1), pointwise_regularizer=r.L1(0.1),
                                          pointwise_constraint=c.NonNeg(), bias_regularizer=r.L2(0.2)), (4, 4, 2)),
    "lstm": (L.LSTM(2, kernel_regularizer=r.L2(0.1), recurrent_regularizer=r.L1(0.05), bias_regularizer=r.L2(0.1),
                    recurrent_constraint=c.MaxNorm(0.8), activity_regularizer=r.L2(0.1)), (3, 2)),
    "gru": (L.GRU(2, kernel_constraint=c.UnitNorm(), recurrent_regularizer=r.L2(0.1), bias_constraint=c.NonNeg()), (3, 2)),
    "layerNormalization": (L.LayerNormalization(gamma_regularizer=r.L2(0.1), beta_regularizer=r.L1(0.1),
                                                gamma_constraint=c.NonNeg(), beta_constraint=c.NonNeg()), (4,)),
    "prelu": (L.PReLU(alpha_regularizer=r.L1(0.2), alpha_constraint=c.NonNeg()), (4,)),
    "multiHeadAttention": (L.MultiHeadAttention(2, 3, kernel_regularizer=r.L2(0.1), bias_regularizer=r.L1(0.1),
                                                activity_regularizer=r.L2(0.02), kernel_constraint=c.MaxNorm(0.6)), (3, 4)),
    "activityRegularization": (L.ActivityRegularization(l1=0.1, l2=0.2), (4,)),
}

out = []
for name, (layer, shape) in CASES.items():
    inputs = keras.Input(shape)
    middle = L.Dense(shape[-1], name="first")
    h = middle(inputs)
    y = layer(h, h) if name == "multiHeadAttention" else layer(h)
    model = keras.Model(inputs, y)
    for i, part in enumerate((middle, layer)):
        part.set_weights([wave(w.shape, i * 5 + k) for k, w in enumerate(part.get_weights())])
    x, target = wave((5, *shape), 1), wave((5, *y.shape[1:]), 2)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    before = model.evaluate(x, target, verbose=0)
    losses = [float(model.train_on_batch(x, target)) for _ in range(2)]
    out.append({"name": name, "shape": list(shape), "outputShape": list(y.shape[1:]), "evaluated": before, "losses": losses,
                "weights": [np.asarray(w).ravel().tolist() for w in layer.get_weights()]})
    print(name, before, losses)

# An embedding takes ids.
emb = L.Embedding(5, 3, embeddings_regularizer=r.L2(0.1), embeddings_constraint=c.UnitNorm(axis=1))
model = keras.Sequential([keras.Input((2,), dtype="int32"), emb])
emb.set_weights([wave((5, 3), 5)])
ids = np.array([[0, 1], [4, 4], [2, 0], [1, 3], [3, 2]], "int32")
target = wave((5, 2, 3), 2)
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
before = model.evaluate(ids, target, verbose=0)
losses = [float(model.train_on_batch(ids, target)) for _ in range(2)]
out.append({"name": "embedding", "shape": [2], "outputShape": [2, 3], "ids": ids.tolist(), "evaluated": before, "losses": losses,
            "weights": [np.asarray(w).ravel().tolist() for w in emb.get_weights()]})

with open("test/fixtures/regularization.json", "w") as f:
    json.dump({"keras": keras.__version__, "cases": out}, f)
