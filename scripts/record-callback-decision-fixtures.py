"""Records what Keras 3 does in callbacks: decisions of EarlyStopping and ReduceLROnPlateau over traces, and the order of hooks.

KERAS_BACKEND=torch python scripts/record-callback-decision-fixtures.py
"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

TRACES = {
    "bumpy": [5, 4, 3, 3.5, 3.2, 3.1, 1, 1.05, 1.01, 1.2, 0.9, 0.91],
    "flat": [1, 1, 1, 1, 1, 1, 1, 1],
    "edge": [1, 0.9, 0.8, 0.7, 0.69, 0.6, 0.5999, 0.5998, 0.5, 0.5],
}
STOPPING = [
    {},
    {"patience": 2},
    {"min_delta": 0.1, "patience": 1},
    {"mode": "max", "patience": 1},
    {"baseline": 0.65, "patience": 3},
    {"start_from_epoch": 3, "patience": 1, "restore_best_weights": True},
    {"restore_best_weights": True, "patience": 2},
]
PLATEAU = [
    {"patience": 1},
    {"patience": 2, "factor": 0.5},
    {"patience": 1, "cooldown": 2, "factor": 0.3},
    {"patience": 1, "min_lr": 0.02, "factor": 0.2},
    {"patience": 1, "min_delta": 0.1, "factor": 0.5},
    {"patience": 0, "mode": "max", "factor": 0.7},
]


def scripted(values, callback):
    """The validation loss of each epoch is the model's one weight, which a callback sets."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(
        optimizer=keras.optimizers.SGD(0.1), loss=lambda t, p: keras.ops.mean(p, axis=-1) + 0 * keras.ops.mean(t)
    )
    model.layers[0].trainable = False

    class Script(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            model.layers[0].kernel.assign([[values[epoch]]])

    one = np.ones((1, 1), "float32")
    h = model.fit(
        one, one, validation_data=(one, one), epochs=len(values), callbacks=[Script(), callback], verbose=0
    )
    return h, float(model.layers[0].kernel.numpy()[0, 0])


out = {"traces": TRACES, "stopping": [], "plateau": []}
for name, values in TRACES.items():
    for options in STOPPING:
        c = keras.callbacks.EarlyStopping(**options)
        h, weight = scripted(values, c)
        out["stopping"].append(
            [name, options, len(h.epoch), c.stopped_epoch, c.best_epoch, float(c.best) if c.best is not None else None, weight]
        )
    for options in PLATEAU:
        h, _ = scripted(values, keras.callbacks.ReduceLROnPlateau(**options))
        out["plateau"].append([name, options, h.history["learning_rate"]])


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.log = []


def note(name):
    def hook(self, first=None, logs=None):
        number = first if isinstance(first, int) else None
        given = logs if number is not None else first
        self.log.append([name, number, sorted(given or {})])

    return hook


for hook in dir(keras.callbacks.Callback):
    if hook.startswith("on_") and hook not in ("on_batch_begin", "on_batch_end"):
        setattr(Recorder, hook, note(hook))

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
x, y = np.ones((5, 2), "float32"), np.ones((5, 1), "float32")
out["hooks"] = {}
for what in ("fit", "evaluate", "predict"):
    r = Recorder()
    if what == "fit":
        model.fit(x, y, epochs=2, batch_size=2, validation_data=(x, y), callbacks=[r], verbose=0)
    elif what == "evaluate":
        model.evaluate(x, y, batch_size=2, callbacks=[r], verbose=0)
    else:
        model.predict(x, batch_size=2, callbacks=[r], verbose=0)
    out["hooks"][what] = r.log

with open("test/fixtures/callback-decisions.json", "w") as f:
    json.dump(out, f)
