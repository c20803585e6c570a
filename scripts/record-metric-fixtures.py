"""Records Keras metrics over three batches of different sizes, with and without sample weights, for
test/metrics/streaming.test.ts. Run: KERAS_BACKEND=torch python scripts/record-metric-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

random = np.random.default_rng(11)
ROWS, CUTS = 17, (0, 7, 14, 17)


def f32(x):
    return np.asarray(x, dtype="float32")


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


labels = random.integers(0, 4, ROWS)
one_hot = np.eye(4, dtype="float32")[labels]
scores = f32(softmax(random.normal(size=(ROWS, 4)) + 1.5 * one_hot))
flags = random.integers(0, 2, (ROWS, 1))
DATA = {
    "binary": (f32(flags), f32(np.clip(flags * 0.4 + random.uniform(0, 0.7, (ROWS, 1)), 0, 1))),
    "multi": (f32(random.integers(0, 2, (ROWS, 3))), f32(random.uniform(size=(ROWS, 3)))),
    "logits": (f32(flags), f32(random.normal(size=(ROWS, 1)) * 2 + flags)),
    "one_hot": (one_hot, scores),
    "sparse": (labels.astype("int32"), scores),
    "real": (f32(random.normal(size=(ROWS, 3)) * 2), f32(random.normal(size=(ROWS, 3)))),
    "positive": (f32(random.poisson(2, (ROWS, 2))), f32(random.gamma(2, size=(ROWS, 2)))),
    "signs": (f32(random.choice([-1, 1], (ROWS, 2))), f32(random.normal(size=(ROWS, 2)))),
    "classes": (labels.astype("int32"), random.integers(0, 4, ROWS).astype("int32")),
}
weights = f32(np.round(random.uniform(0.1, 2, ROWS), 2))

CASES = [
    ("BinaryAccuracy", {}, "binary"), ("BinaryAccuracy", {"threshold": 0.3}, "multi"),
    ("CategoricalAccuracy", {}, "one_hot"), ("SparseCategoricalAccuracy", {}, "sparse"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one_hot"), ("SparseTopKCategoricalAccuracy", {"k": 2}, "sparse"),
    ("TruePositives", {}, "multi"), ("TrueNegatives", {"thresholds": 0.3}, "multi"),
    ("FalsePositives", {}, "binary"), ("FalseNegatives", {"thresholds": 0.7}, "multi"),
    ("Precision", {}, "multi"), ("Precision", {"thresholds": 0.3}, "binary"), ("Precision", {"topK": 2}, "one_hot"),
    ("Precision", {"classId": 1}, "multi"), ("Recall", {"topK": 1, "classId": 2}, "one_hot"), ("Recall", {"thresholds": 0.6}, "multi"),
    ("F1Score", {"average": "macro"}, "one_hot"), ("F1Score", {"average": "micro", "threshold": 0.5}, "multi"),
    ("F1Score", {"average": "weighted"}, "one_hot"), ("FBetaScore", {"average": "macro", "beta": 2.0, "threshold": 0.4}, "multi"),
    ("FBetaScore", {"average": "weighted", "beta": 0.5}, "one_hot"),
    ("AUC", {}, "binary"), ("AUC", {"curve": "PR"}, "binary"), ("AUC", {"curve": "PRGAIN", "numThresholds": 50}, "binary"),
    ("AUC", {"summationMethod": "minoring", "numThresholds": 20}, "multi"), ("AUC", {"summationMethod": "majoring", "curve": "PR"}, "multi"),
    ("AUC", {"thresholds": [0.2, 0.35, 0.8]}, "multi"), ("AUC", {"multiLabel": True, "numLabels": 3}, "multi"),
    ("AUC", {"multiLabel": True, "numLabels": 3, "labelWeights": [0.5, 2.0, 1.0], "curve": "PR"}, "multi"),
    ("AUC", {"fromLogits": True}, "logits"),
    ("PrecisionAtRecall", {"recall": 0.6}, "binary"), ("PrecisionAtRecall", {"recall": 0.6, "numThresholds": 1}, "binary"),
    ("RecallAtPrecision", {"precision": 0.7}, "multi"), ("SensitivityAtSpecificity", {"specificity": 0.5}, "multi"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.7, "numThresholds": 40}, "binary"), ("SpecificityAtSensitivity", {"sensitivity": 0.5, "classId": 1}, "multi"),
    ("MeanSquaredError", {}, "real"), ("RootMeanSquaredError", {}, "real"), ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "real"), ("MeanSquaredLogarithmicError", {}, "positive"), ("LogCoshError", {}, "real"),
    ("CosineSimilarity", {}, "real"), ("R2Score", {}, "real"), ("R2Score", {"classAggregation": "variance_weighted_average", "numRegressors": 2}, "real"),
    ("PearsonCorrelation", {}, "real"), ("ConcordanceCorrelation", {}, "real"),
    ("BinaryCrossentropy", {}, "binary"), ("BinaryCrossentropy", {"fromLogits": True, "labelSmoothing": 0.1}, "logits"),
    ("CategoricalCrossentropy", {}, "one_hot"), ("SparseCategoricalCrossentropy", {}, "sparse"),
    ("KLDivergence", {}, "one_hot"), ("Poisson", {}, "positive"), ("Hinge", {}, "signs"), ("SquaredHinge", {}, "signs"), ("CategoricalHinge", {}, "one_hot"),
    ("IoU", {"numClasses": 4, "targetClassIds": [0, 2]}, "classes"), ("IoU", {"numClasses": 4, "targetClassIds": [1], "sparseYPred": False}, "sparse"),
    ("BinaryIoU", {}, "binary"), ("BinaryIoU", {"targetClassIds": [1], "threshold": 0.4}, "multi"),
    ("MeanIoU", {"numClasses": 4}, "classes"), ("MeanIoU", {"numClasses": 4, "ignoreClass": 1}, "classes"),
    ("OneHotIoU", {"numClasses": 4, "targetClassIds": [0, 3]}, "one_hot"), ("OneHotMeanIoU", {"numClasses": 4}, "one_hot"),
]
SNAKE = {"sparseYPred": "sparse_y_pred"}


def snake(name):
    return SNAKE.get(name, "".join("_" + c.lower() if c.isupper() else c for c in name))


def run(name, options, batch, weighted):
    # By default these count in int32, which cuts weights to whole numbers.
    dtype = {"dtype": "float32"} if "IoU" in name else {}
    metric = getattr(keras.metrics, name)(**{snake(k): v for k, v in options.items()}, **dtype)
    y, p = DATA[batch]
    for a, b in zip(CUTS, CUTS[1:]):
        w = weights[a:b] if weighted else None
        # These two flatten their arguments, weights not: they want one for each element.
        if weighted and name == "BinaryIoU":
            w = np.broadcast_to(w[:, None], y[a:b].shape).copy()
        metric.update_state(y[a:b], p[a:b], sample_weight=w)
    return float(np.asarray(metric.result()))


out = [{"name": n, "options": o, "batch": b, "result": run(n, o, b, False), "weighted": run(n, o, b, True)} for n, o, b in CASES]
with open("test/fixtures/streaming-metrics.json", "w") as f:
    json.dump({"keras": keras.__version__, "cuts": CUTS, "weights": weights.tolist(),
               "data": {k: {"true": t.tolist(), "pred": p.tolist()} for k, (t, p) in DATA.items()}, "metrics": out}, f)
print(len(out))
