"""Records Keras trainings with sample weights, class weights and several outputs, for test/training/weighting.test.ts.
Run: KERAS_BACKEND=torch python scripts/record-weighting-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

ROWS, FEATURES, STEPS = 10, 3, 4


def wave(shape, shift):
    n = int(np.prod(shape))
    return np.round(np.sin(np.arange(n) * 1.7 + shift), 3).astype("float32").reshape(shape)


def kernel(layer, shift):
    k, b = layer.get_weights()
    layer.set_weights([wave(k.shape, shift), wave(b.shape, shift + 1)])


def run(name, model, x, y, compile_options, fit_options, config):
    model.compile(optimizer=keras.optimizers.SGD(0.1), **compile_options)
    history = model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0, **fit_options)
    return {
        "name": name,
        **config,
        "history": history.history,
        "weights": {layer.name: [np.asarray(w).ravel().tolist() for w in layer.get_weights()] for layer in model.layers if layer.weights},
    }


def dense(units, activation, x, shift=0.5):
    layer = keras.layers.Dense(units, activation=activation, name="dense")
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    kernel(layer, shift)
    return model


x = wave((ROWS, FEATURES), 0)
xs = wave((ROWS, STEPS, FEATURES), 3)
binary = (wave((ROWS, 1), 2) > 0).astype("float32")
labels = (np.arange(ROWS) * 7 % 3).astype("int32")
one_hot = np.eye(3, dtype="float32")[labels]
series = wave((ROWS, STEPS, 1), 4)
w = np.round(np.abs(wave((ROWS,), 5)) + 0.1, 3)
ws = np.round(np.abs(wave((ROWS, STEPS), 6)), 3)

cases = [
    run("sampleWeight", dense(1, "sigmoid", x), x, binary,
        {"loss": "binary_crossentropy", "metrics": ["accuracy"], "weighted_metrics": ["accuracy", "mse"]},
        {"sample_weight": w, "validation_data": (x, binary, w[::-1].copy())}, {}),
    run("classWeight", dense(3, "softmax", x), x, labels,
        {"loss": "sparse_categorical_crossentropy", "weighted_metrics": ["accuracy"]},
        {"class_weight": {0: 2.0, 2: 0.25}}, {}),
    run("classWeightOneHot", dense(3, "softmax", x), x, one_hot,
        {"loss": "categorical_crossentropy"}, {"class_weight": {0: 2.0, 2: 0.25}}, {}),
    run("classWeightBinary", dense(1, "sigmoid", x), x, binary,
        {"loss": "binary_crossentropy"}, {"class_weight": {0: 0.5, 1: 3.0}}, {}),
    run("temporal", dense(1, None, xs), xs, series,
        {"loss": "mean_squared_error", "weighted_metrics": ["mae"]}, {"sample_weight": ws}, {}),
]

# Two inputs, three outputs: one without a loss.
a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
shared = keras.layers.Dense(4, activation="tanh", name="shared")
joined = keras.layers.Concatenate(name="joined")([shared(a), shared(b)])
heads = [keras.layers.Dense(u, activation=f, name=n) for n, u, f in (("value", 1, None), ("kind", 3, "softmax"), ("extra", 2, None))]
model = keras.Model([a, b], {h.name: h(joined) for h in heads})
for i, layer in enumerate([shared, *heads]):
    kernel(layer, i + 0.25)
x2 = wave((ROWS, FEATURES), 9)
value = wave((ROWS, 1), 7)
cases.append(
    run("outputs", model, {"a": x, "b": x2}, {"value": value, "kind": labels, "extra": np.zeros((ROWS, 2), "float32")},
        {"loss": {"value": "mse", "kind": "sparse_categorical_crossentropy", "extra": None},
         "loss_weights": {"value": 0.5, "kind": 2.0, "extra": 1.0}, "metrics": {"value": ["mae"], "kind": ["accuracy"]},
         "weighted_metrics": {"value": ["mae"]}},
        {"sample_weight": {"value": w, "kind": w[::-1].copy(), "extra": np.ones(ROWS, "float32")}}, {}))

data = {"x": x, "x2": x2, "xs": xs, "binary": binary, "labels": labels, "oneHot": one_hot, "series": series, "w": w, "ws": ws, "value": value}
with open("test/fixtures/weighting.json", "w") as f:
    json.dump({"keras": keras.__version__, "data": {k: v.tolist() for k, v in data.items()}, "cases": cases}, f)
for c in cases:
    print(c["name"], {k: v[-1] for k, v in c["history"].items()})
