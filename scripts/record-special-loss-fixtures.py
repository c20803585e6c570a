"""Records what Keras gives for losses with targets of their own kinds, for test/losses. Same form as losses.json.
Run: KERAS_BACKEND=torch python scripts/record-special-loss-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

random = np.random.default_rng(5)


def float32(x):
    return np.asarray(x, dtype="float32")


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


labels = np.array([0, 3, 4, 1, 1, 2], dtype="int32")
logits = float32(random.normal(size=(6, 5)) * 2)
embeddings = random.normal(size=(6, 4))
embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
spelt = np.array([[1, 2, 2, 0], [3, 0, 0, 0], [1, 1, 1, 0], [2, 4, 1, 3]], dtype="int32")
BATCHES = {
    "binary": (float32(random.integers(0, 2, size=(6, 4))), float32(random.uniform(size=(6, 4)))),
    "binary_logits": (float32(random.integers(0, 2, size=(6, 4))), float32(random.normal(size=(6, 4)) * 3)),
    "categorical": (np.eye(5, dtype="float32")[labels], float32(softmax(logits))),
    "categorical_logits": (np.eye(5, dtype="float32")[labels], logits),
    "middle": (np.moveaxis(np.eye(3, dtype="float32")[random.integers(0, 3, (2, 4))], -1, 1), float32(softmax(random.normal(size=(2, 4, 3)))).transpose(0, 2, 1)),
    "sparse": (labels, float32(softmax(logits))),
    "sparse_logits": (labels, logits),
    "regions": (float32(random.integers(0, 2, size=(2, 3, 3, 1))), float32(random.uniform(size=(2, 3, 3, 1)))),
    "groups": (np.array([7, 7, 2, 2, 9, 7], dtype="int32"), float32(embeddings)),
    "spelling": (spelt, float32(random.normal(size=(4, 9, 5)) * 1.5)),
}
CASES = [
    ("BinaryFocalCrossentropy", {}, "binary"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "label_smoothing": 0.1}, "binary"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, "binary_logits"),
    ("CategoricalFocalCrossentropy", {}, "categorical"),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "alpha": 0.5, "gamma": 1.0, "label_smoothing": 0.2}, "categorical_logits"),
    ("CategoricalGeneralizedCrossEntropy", {}, "sparse"),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.8}, "sparse"),
    ("CategoricalCrossentropy", {"axis": 1}, "middle"),
    ("CategoricalFocalCrossentropy", {"axis": 1}, "middle"),
    ("BinaryCrossentropy", {"axis": 0}, "binary"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "sparse"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1, "from_logits": True}, "sparse_logits"),
    ("Dice", {}, "regions"),
    ("Dice", {"axis": [1, 2, 3]}, "regions"),
    ("Tversky", {"alpha": 0.3, "beta": 0.7}, "regions"),
    ("Tversky", {"alpha": 0.3, "axis": [1, 2, 3]}, "regions"),
    ("Circle", {}, "groups"),
    ("Circle", {"gamma": 10.0, "margin": 0.25, "remove_diagonal": False}, "groups"),
    ("CTC", {}, "spelling"),
]

out = []
for name, options, batch in CASES:
    y_true, y_pred = BATCHES[batch]
    make = getattr(keras.losses, name)
    t = keras.ops.convert_to_tensor(y_pred)
    t.requires_grad_(True)
    loss = make(**options)(y_true, t)
    loss.backward()
    listed = lambda x: np.asarray(x, dtype="float64").round(9).tolist()
    values = np.atleast_1d(listed(make(**options, reduction="none")(y_true, y_pred).detach())).ravel().tolist()
    out.append({"name": name, "options": options, "batch": batch, "values": values, "mean": float(loss.detach()),
                "sum": float(make(**options, reduction="sum")(y_true, y_pred)), "gradient": listed(t.grad)})
    print(name, options, out[-1]["mean"])
with open("test/fixtures/special-losses.json", "w") as f:
    json.dump({"keras": keras.__version__, "batches": {k: {"true": t.tolist(), "pred": p.tolist()} for k, (t, p) in BATCHES.items()}, "losses": out}, f)
