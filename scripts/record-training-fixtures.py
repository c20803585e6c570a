"""Records what Keras 3.15 gives for losses, metrics and optimizers, as small JSON files under test/fixtures.

    KERAS_BACKEND=torch python scripts/record-training-fixtures.py

Inputs are recorded too, so the tests need nothing but the files. Names are Keras's; the tests map them to ours.
"""

import inspect
import json
import os
import textwrap
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras  # noqa: E402
import numpy as np  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "test" / "fixtures"
random = np.random.default_rng(20)


def listed(x):
    return np.asarray(x, dtype=np.float64).round(9).tolist()


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def float32(x):
    return np.asarray(x, dtype=np.float32)


def batches():
    """Named pairs of targets and predictions."""
    logits = float32(random.normal(size=(6, 5)) * 2)
    labels = np.array([0, 3, 4, 1, 1, 2], dtype=np.int32)
    return {
        "real": (float32(random.normal(size=(6, 3))), float32(random.normal(size=(6, 3)) * 1.5)),
        "positive": (float32(random.poisson(2, size=(6, 3))), float32(random.gamma(2, size=(6, 3)))),
        "binary": (float32(random.integers(0, 2, size=(6, 4))), float32(random.uniform(size=(6, 4)))),
        "binary_logits": (float32(random.integers(0, 2, size=(6, 4))), float32(random.normal(size=(6, 4)) * 3)),
        "one_column": (float32(random.integers(0, 2, size=(8, 1))), float32(random.uniform(size=(8, 1)))),
        "categorical": (np.eye(5, dtype=np.float32)[labels], float32(softmax(logits))),
        "categorical_logits": (np.eye(5, dtype=np.float32)[labels], logits),
        "sparse": (labels, float32(softmax(logits))),
        "sparse_logits": (labels, logits),
        "signs": (float32(random.choice([-1, 1], size=(6, 3))), float32(random.normal(size=(6, 3)))),
        "soft": (float32(softmax(random.normal(size=(6, 4)))), float32(softmax(random.normal(size=(6, 4))))),
    }


def record_losses(data):
    L = keras.losses
    cases = [
        ("MeanSquaredError", {}, "real"),
        ("MeanAbsoluteError", {}, "real"),
        ("MeanAbsolutePercentageError", {}, "real"),
        ("MeanSquaredLogarithmicError", {}, "positive"),
        ("Huber", {}, "real"),
        ("Huber", {"delta": 0.4}, "real"),
        ("LogCosh", {}, "real"),
        ("Poisson", {}, "positive"),
        ("CosineSimilarity", {}, "real"),
        ("BinaryCrossentropy", {}, "binary"),
        ("BinaryCrossentropy", {"label_smoothing": 0.2}, "binary"),
        ("BinaryCrossentropy", {"from_logits": True}, "binary_logits"),
        ("CategoricalCrossentropy", {}, "categorical"),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "categorical"),
        ("CategoricalCrossentropy", {"from_logits": True}, "categorical_logits"),
        ("SparseCategoricalCrossentropy", {}, "sparse"),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "sparse_logits"),
        ("KLDivergence", {}, "soft"),
        ("Hinge", {}, "signs"),
        ("Hinge", {}, "binary"),
        ("SquaredHinge", {}, "signs"),
        ("CategoricalHinge", {}, "categorical"),
    ]
    out = []
    for name, options, batch in cases:
        y_true, y_pred = data[batch]
        make = getattr(L, name)
        tensor = keras.ops.convert_to_tensor(y_pred)
        tensor.requires_grad_(True)
        loss = make(**options)(y_true, tensor)
        loss.backward()
        out.append(
            {
                "name": name,
                "options": options,
                "batch": batch,
                "values": listed(make(**options, reduction="none")(y_true, y_pred).detach()),
                "mean": float(loss.detach()),
                "sum": float(make(**options, reduction="sum")(y_true, y_pred)),
                "gradient": listed(tensor.grad),
            }
        )
    return out


def record_metrics(data):
    M = keras.metrics
    cases = [
        ("BinaryAccuracy", {}, "binary"),
        ("BinaryAccuracy", {"threshold": 0.3}, "one_column"),
        ("CategoricalAccuracy", {}, "categorical"),
        ("SparseCategoricalAccuracy", {}, "sparse"),
        ("TopKCategoricalAccuracy", {"k": 2}, "categorical"),
        ("SparseTopKCategoricalAccuracy", {"k": 3}, "sparse"),
        ("MeanSquaredError", {}, "real"),
        ("RootMeanSquaredError", {}, "real"),
        ("MeanAbsoluteError", {}, "real"),
        ("MeanAbsolutePercentageError", {}, "real"),
        ("MeanSquaredLogarithmicError", {}, "positive"),
        ("LogCoshError", {}, "real"),
        ("CosineSimilarity", {}, "real"),
        ("BinaryCrossentropy", {}, "binary"),
        ("CategoricalCrossentropy", {}, "categorical"),
        ("SparseCategoricalCrossentropy", {}, "sparse"),
        ("KLDivergence", {}, "soft"),
        ("Poisson", {}, "positive"),
        ("Precision", {}, "binary"),
        ("Precision", {"thresholds": 0.7}, "binary"),
        ("Recall", {}, "binary"),
        ("Recall", {"thresholds": 0.2}, "one_column"),
        ("F1Score", {"average": "macro"}, "categorical"),
        ("F1Score", {"average": "weighted"}, "categorical"),
        ("F1Score", {"average": "micro", "threshold": 0.4}, "binary"),
        ("AUC", {}, "binary"),
        ("AUC", {"curve": "PR"}, "binary"),
        ("AUC", {"num_thresholds": 20}, "one_column"),
    ]
    out = []
    for name, options, batch in cases:
        metric = getattr(M, name)(**options)
        y_true, y_pred = data[batch]
        # Two batches of different sizes, as an epoch with a smaller last batch has.
        metric.update_state(y_true[:4], y_pred[:4])
        metric.update_state(y_true[4:], y_pred[4:])
        out.append({"name": name, "options": options, "batch": batch, "result": float(metric.result())})
    return out


def keep_old_momentum(optimizer):
    """On torch `momentum.value` is the very memory that the next line changes, so Keras's step goes on with the new
    momentum where it means the old one; on JAX, and in the paper, it is the old one. Recorded as meant."""
    source = textwrap.dedent(inspect.getsource(optimizer.update_step))
    fixed = source.replace("momentum_old = momentum.value", "momentum_old = ops.copy(momentum.value)")
    assert fixed != source
    scope = {"ops": keras.ops}
    exec(fixed, scope)
    optimizer.update_step = scope["update_step"]


def record_optimizers():
    O = keras.optimizers
    keep_old_momentum(O.ScheduleFreeAdamW)
    x = float32(random.normal(size=(8, 3)))
    y = float32(random.normal(size=(8, 2)))
    weights = [
        float32(random.normal(size=(3, 5)) * 0.6),
        float32(random.normal(size=(5,)) * 0.1),
        float32(random.normal(size=(5, 2)) * 0.6),
        float32(random.normal(size=(2,)) * 0.1),
    ]
    cases = [
        ("SGD", {}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"learning_rate": 0.1, "weight_decay": 0.05}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.05}),
        ("Adam", {}),
        ("Adam", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4}),
        ("Adam", {"learning_rate": 0.02, "weight_decay": 0.1}),
        ("AdamW", {"learning_rate": 0.02}),
        ("RMSprop", {"learning_rate": 0.02}),
        ("RMSprop", {"learning_rate": 0.02, "momentum": 0.5, "centered": True, "rho": 0.8}),
        ("Adam", {"learning_rate": 0.02, "amsgrad": True}),
        ("AdamW", {"learning_rate": 0.02, "amsgrad": True, "use_ema": True, "ema_momentum": 0.8, "clipnorm": 0.4}),
        ("Adadelta", {"learning_rate": 1.0}),
        ("Adadelta", {"learning_rate": 0.5, "rho": 0.8, "epsilon": 1e-4, "weight_decay": 0.02}),
        ("Adagrad", {"learning_rate": 0.05}),
        ("Adagrad", {"learning_rate": 0.05, "initial_accumulator_value": 0.01, "epsilon": 1e-4, "clipvalue": 0.1}),
        ("Adamax", {"learning_rate": 0.02}),
        ("Adamax", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "weight_decay": 0.1}),
        ("Nadam", {"learning_rate": 0.02}),
        ("Nadam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4, "global_clipnorm": 0.5}),
        ("Ftrl", {"learning_rate": 0.1}),
        (
            "Ftrl",
            {
                "learning_rate": 0.1,
                "learning_rate_power": -0.7,
                "initial_accumulator_value": 0.2,
                "l1_regularization_strength": 0.05,
                "l2_regularization_strength": 0.02,
                "l2_shrinkage_regularization_strength": 0.1,
                "beta": 0.1,
            },
        ),
        ("Lion", {"learning_rate": 0.01}),
        ("Lion", {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "weight_decay": 0.1}),
        ("Lamb", {"learning_rate": 0.02}),
        ("Lamb", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4, "weight_decay": 0.1}),
        ("Adafactor", {"learning_rate": 0.05}),
        ("Adafactor", {"learning_rate": 0.5, "beta_2_decay": -0.6, "epsilon_2": 0.5, "clip_threshold": 0.5}),
        ("Muon", {"learning_rate": 0.02}),
        (
            "Muon",
            {
                "learning_rate": 0.02,
                "nesterov": False,
                "momentum": 0.8,
                "ns_steps": 3,
                "rms_rate": None,
                "weight_decay": 0.1,
                "adam_weight_decay": 0.05,
                "adam_lr_ratio": 0.5,
            },
        ),
        ("ScheduleFreeAdamW", {"learning_rate": 0.02}),
        ("ScheduleFreeAdamW", {"learning_rate": 0.02, "warmup_steps": 4, "beta_1": 0.8, "weight_decay": 0.1}),
    ]
    # What the base class adds, on an optimizer with a kernel for many tensors, and on one written with ops.
    base = [
        {"clipnorm": 0.3},
        {"clipvalue": 0.05},
        {"global_clipnorm": 0.5},
        {"use_ema": True, "ema_momentum": 0.7},
        {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3, "weight_decay": 0.05},
    ]
    for options in base:
        cases.append(("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, **options}))
        cases.append(("Adam", {"learning_rate": 0.02, **options}))
        cases.append(("RMSprop", {"learning_rate": 0.02, **options}))
    cases.append(("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_overwrite_frequency": 4, "global_clipnorm": 0.4}))
    runs = []
    for name, options in cases:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(2)])
        model.set_weights(weights)
        model.compile(optimizer=getattr(O, name)(**options), loss="mse")
        losses = [float(model.train_on_batch(x, y)) for _ in range(10)]
        run = {"name": name, "options": options, "losses": losses, "weights": [listed(w) for w in model.get_weights()]}
        if options.get("use_ema"):
            model.optimizer.finalize_variable_values(model.trainable_variables)
            run["averages"] = [listed(w) for w in model.get_weights()]
        runs.append(run)
    return {"x": listed(x), "y": listed(y), "weights": [listed(w) for w in weights], "runs": runs}


def record_fit():
    """A whole fit without shuffling: uneven last batch, validation split, metrics."""
    x = float32(random.normal(size=(23, 4)))
    labels = (x[:, 0] + x[:, 1] > 0).astype(np.int32) + (x[:, 2] > 0.5).astype(np.int32)
    weights = [
        float32(random.normal(size=(4, 6)) * 0.5),
        float32(np.zeros(6)),
        float32(random.normal(size=(6, 3)) * 0.5),
        float32(np.zeros(3)),
    ]
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation="tanh"), keras.layers.Dense(3, activation="softmax")]
    )
    model.set_weights(weights)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.02),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(x, labels, epochs=4, batch_size=5, shuffle=False, validation_split=0.2, verbose=0)
    evaluated = model.evaluate(x, labels, batch_size=5, verbose=0)
    return {
        "x": listed(x),
        "y": labels.tolist(),
        "weights": [listed(w) for w in weights],
        "history": history.history,
        "after": [listed(w) for w in model.get_weights()],
        "evaluated": [float(v) for v in evaluated],
        "predicted": listed(model.predict(x, verbose=0)),
    }


def write(name, value):
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / name
    path.write_text(json.dumps({"keras": keras.__version__, **value}) + "\n")
    print(path, path.stat().st_size)


data = batches()
recorded = {name: {"true": listed(t), "pred": listed(p)} for name, (t, p) in data.items()}
write("losses.json", {"batches": recorded, "losses": record_losses(data)})
write("metrics.json", {"batches": recorded, "metrics": record_metrics(data)})
write("optimizers.json", record_optimizers())
write("fit.json", record_fit())
