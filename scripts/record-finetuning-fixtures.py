"""Records Keras trainings with frozen layers and batch by batch, for test/training/finetuning.test.ts.
Run: KERAS_BACKEND=torch python scripts/record-finetuning-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

ROWS = 10


def wave(shape, shift):
    n = int(np.prod(shape))
    return np.round(np.sin(np.arange(n) * 1.7 + shift), 3).astype("float32").reshape(shape)


def weights(model):
    return {l.name: [np.asarray(w).ravel().tolist() for w in l.get_weights()] for l in model.layers if l.weights}


x = wave((ROWS, 3), 0)
y = wave((ROWS, 1), 2)
labels = (np.arange(ROWS) * 7 % 3).astype("int32")
w = np.round(np.abs(wave((ROWS,), 5)) + 0.1, 3)

# A base of a dense layer and batch normalization, frozen while a head learns, then let go.
base = keras.Sequential([
    keras.Input((3,)),
    keras.layers.Dense(4, activation="tanh", name="first"),
    keras.layers.BatchNormalization(momentum=0.8, name="norm"),
    keras.layers.Dense(3, name="old"),
])
for i, layer in enumerate(base.layers):
    layer.set_weights([np.abs(wave(v.shape, i + j)) + 0.2 if layer.name == "norm" else wave(v.shape, i + j)
                       for j, v in enumerate(layer.get_weights())])
cut = base.get_layer("norm").output
head = keras.layers.Dense(1, name="head")
tuned = keras.Model(base.inputs, head(cut))
head.set_weights([wave(v.shape, 7 + j) for j, v in enumerate(head.get_weights())])
phases = []
for frozen, optimizer in ((["first", "norm"], keras.optimizers.Adam(0.05)), (["first"], keras.optimizers.SGD(0.1, momentum=0.9)),
                          ([], keras.optimizers.Adam(0.01))):
    for layer in tuned.layers:
        layer.trainable = layer.name not in frozen
    tuned.compile(optimizer=optimizer, loss="mse")
    history = tuned.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0, validation_data=(x, y))
    phases.append({"frozen": frozen, "history": {"loss": history.history["loss"], "valLoss": history.history["val_loss"]}, "weights": weights(tuned)})

# By hand, with weights: what each call returns.
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax", name="dense")])
model.layers[0].set_weights([wave((3, 3), 0.5), wave((3,), 1.5)])
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
calls = []
for kind, options in (("train", {}), ("train", {"sample_weight": w}), ("train", {"class_weight": {0: 2.0, 2: 0.25}}),
                      ("test", {}), ("test", {"sample_weight": w}), ("train", {"sample_weight": -w})):
    logs = getattr(model, kind + "_on_batch")(x, labels, return_dict=True, **options)
    calls.append({"kind": kind, "options": list(options), "negative": bool(options) and "sample_weight" in options and bool((options["sample_weight"] < 0).all()),
                  "logs": {k: float(v) for k, v in logs.items()}})
out = {
    "keras": keras.__version__,
    "data": {"x": x.tolist(), "y": y.tolist(), "labels": labels.tolist(), "w": w.tolist()},
    "phases": phases,
    "batches": {"calls": calls, "weights": weights(model)},
}
path = os.path.join(os.path.dirname(__file__), "../test/fixtures/finetuning.json")
with open(path, "w") as f:
    json.dump(out, f)
print(os.path.getsize(path), json.dumps(calls, indent=0)[:1500])
