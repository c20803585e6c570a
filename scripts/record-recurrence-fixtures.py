"""Records what Keras 3.15 computes for recurrent layers: outputs, states and gradients, masked and not, and ten optimizer
steps of small models. Writes test/fixtures/recurrence.json and conv-lstm.json; needs what record-layer-fixtures.py needs.

    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-recurrence-fixtures.py
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
rng = np.random.default_rng(47)


def draw(*shape):
    """Numbers with few digits, which float32 and JSON hold alike."""
    return (rng.integers(-300, 300, shape) / 256).astype("float32")


def plain(x):
    x = np.asarray(x.detach() if isinstance(x, torch.Tensor) else x)
    data = x.reshape(-1).tolist()
    if x.dtype.kind == "f":
        data = [float(f"{v:.8g}") for v in data]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": data}


CLASSES = {
    "lstm": layers.LSTM,
    "gru": layers.GRU,
    "simpleRnn": layers.SimpleRNN,
    "lstmCell": layers.LSTMCell,
    "gruCell": layers.GRUCell,
    "simpleRnnCell": layers.SimpleRNNCell,
    "rnn": layers.RNN,
    "stackedRnnCells": layers.StackedRNNCells,
    "bidirectional": layers.Bidirectional,
    "timeDistributed": layers.TimeDistributed,
    "convLstm1d": layers.ConvLSTM1D,
    "convLstm2d": layers.ConvLSTM2D,
    "convLstm3d": layers.ConvLSTM3D,
    "dense": layers.Dense,
}


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def make(spec):
    """The Keras layer of our factory and options; layers among the options are specs themselves."""
    factory, options = spec

    def value(key, v):
        if isinstance(v, tuple):
            return make(v)
        if isinstance(v, list):
            return [make(x) if isinstance(x, tuple) else x for x in v]
        return snake(v) if key.lower().endswith("activation") else v

    return CLASSES[factory](**{snake(k): value(k, v) for k, v in options.items()})


def written(spec):
    """The spec as JSON."""
    factory, options = spec

    def value(v):
        return written(v) if isinstance(v, tuple) else [value(x) for x in v] if isinstance(v, list) else v

    return {"factory": factory, "options": {k: value(v) for k, v in options.items()}}


B, T, F, U = 4, 4, 2, 3
x = draw(B, T, F)
# Row 0 ends early, 1 begins late, 2 has a hole, 3 has no step at all.
mask = np.array([[1, 1, 1, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=bool)


def states(count):
    return [draw(B, U) for _ in range(count)]


SEQ = {"returnSequences": True}
cases = []


def add(spec, state_count=0, masked=False):
    cases.append((spec, states(state_count), masked))


for factory, count in [("simpleRnn", 1), ("lstm", 2), ("gru", 1)]:
    base = {"units": U}
    for masked in [False, True]:
        add((factory, base), 0, masked)
        add((factory, {**base, **SEQ}), 0, masked)
        add((factory, {**base, **SEQ, "goBackwards": True}), 0, masked)
        add((factory, {**base, "goBackwards": True, "returnState": True}), 0, masked)
        add((factory, {**base, **SEQ, "returnState": True}), count, masked)
        add((factory, {**base, "returnState": True}), count, masked)
    for more in [SEQ, {**SEQ, "goBackwards": True}, {}, {"goBackwards": True}]:
        add((factory, {**base, "zeroOutputForMask": True, **more}), count, True)
    add((factory, {**base, "useBias": False}))
    add((factory, {**base, **SEQ, "unroll": True}), 0, True)
    add((factory, {**base, **SEQ, "activation": "relu"}), count, True)
    add((factory, {**base, "activation": "softsign", "goBackwards": True, "zeroOutputForMask": True}), 0, True)
add(("lstm", {"units": U, **SEQ, "recurrentActivation": "hardSigmoid"}))
add(("lstm", {"units": U, "activation": "elu", "recurrentActivation": "softplus", "useBias": False}), 2, True)
add(("gru", {"units": U, **SEQ, "recurrentActivation": "hardSigmoid"}))
add(("gru", {"units": U, **SEQ, "resetAfter": False}), 1, True)
add(("gru", {"units": U, "resetAfter": False, "useBias": False, "returnState": True}))
for cells in [
    [("lstmCell", {"units": 3}), ("gruCell", {"units": 2}), ("simpleRnnCell", {"units": 4})],
    [("gruCell", {"units": 3, "resetAfter": False}), ("lstmCell", {"units": 2})],
]:
    for masked in [False, True]:
        add(("rnn", {"cell": ("stackedRnnCells", {"cells": cells}), **SEQ}), 0, masked)
        add(("rnn", {"cell": ("stackedRnnCells", {"cells": cells}), "goBackwards": True}), 0, masked)
add(("rnn", {"cell": ("lstmCell", {"units": U}), "returnState": True}), 2, True)
for mode in ["concat", "sum", "mul", "ave", None]:
    for masked in [False, True]:
        add(("bidirectional", {"layer": ("gru", {"units": U, **SEQ}), "mergeMode": mode}), 0, masked)
    add(("bidirectional", {"layer": ("lstm", {"units": U}), "mergeMode": mode}), 0, True)
add(("bidirectional", {"layer": ("lstm", {"units": U, "returnState": True, **SEQ})}), 4, True)
add(("bidirectional", {"layer": ("gru", {"units": U, "returnState": True}), "mergeMode": None}))
add(
    (
        "bidirectional",
        {
            "layer": ("simpleRnn", {"units": U, **SEQ}),
            "backwardLayer": ("lstm", {"units": 2, **SEQ, "goBackwards": True}),
        },
    )
)
add(("timeDistributed", {"layer": ("dense", {"units": 2, "activation": "tanh"})}), 0, True)
add(("timeDistributed", {"layer": ("dense", {"units": 2})}))


def record(spec, x, initial, masked):
    layer = make(spec)
    inputs = [torch.tensor(v, requires_grad=True) for v in [x, *initial]]
    layer.build(x.shape)
    layer.set_weights([draw(*w.shape) for w in layer.get_weights()])
    options = {"mask": torch.tensor(mask)} if masked else {}
    if initial:
        options["initial_state"] = inputs[1:]
    result = layer(inputs[0], **options)
    outputs = list(result) if isinstance(result, (list, tuple)) else [result]
    outputs = [leaf for y in outputs for leaf in (y if isinstance(y, (list, tuple)) else [y])]
    weigh = [torch.tensor(draw(*y.shape)) for y in outputs]
    loss = sum((y * w).sum() for y, w in zip(outputs, weigh))
    variables = [w.value for w in layer.trainable_weights]
    grads = torch.autograd.grad(loss, inputs + variables, allow_unused=True)
    grads = [torch.zeros_like(v) if g is None else g for g, v in zip(grads, inputs + variables)]
    first_mask = getattr(outputs[0], "_keras_mask", None)
    return {
        "layer": written(spec),
        "inputs": [plain(v) for v in [x, *initial]],
        "mask": plain(mask) if masked else None,
        "weightNames": [w.path for w in layer.weights],
        "weights": [plain(w) for w in layer.get_weights()],
        "outputs": [plain(y) for y in outputs],
        "outputMask": first_mask is not None,
        "weigh": [plain(w) for w in weigh],
        "inputGrads": [plain(g) for g in grads[: len(inputs)]],
        "weightGrads": [plain(g) for g in grads[len(inputs) :]],
    }


recorded = [record(spec, x, initial, masked) for spec, initial, masked in cases]

# ---- stateful layers: three batches, with the states set to zeros before the third

def record_stateful(spec, *shape):
    layer = make(spec)
    layer.build((B, *shape))
    layer.set_weights([draw(*w.shape) for w in layer.get_weights()])
    batches = [draw(B, *shape) for _ in range(3)]
    outputs = []
    for i, batch in enumerate(batches):
        if i == 2:
            layer.reset_state()
        options = {"mask": torch.tensor(mask)} if i == 1 else {}
        outputs.append(layer(torch.tensor(batch), **options))
    return {
        "layer": written(spec),
        "weights": [plain(w) for w in layer.get_weights()],
        "batches": [plain(b) for b in batches],
        "mask": plain(mask),
        "outputs": [plain(y) for y in outputs],
    }


stateful = [
    record_stateful(spec, T, F)
    for spec in [
        ("lstm", {"units": U, **SEQ, "stateful": True}),
        ("gru", {"units": U, "stateful": True, "goBackwards": True}),
        ("bidirectional", {"layer": ("simpleRnn", {"units": U, **SEQ, "stateful": True})}),
    ]
]

# ---- ten steps

trained = []
for name, specs, units, masking in [
    ("stack", [("lstm", {"units": 5, **SEQ}), ("lstm", {"units": 4})], 2, False),
    ("masked", [("gru", {"units": 4, **SEQ}), ("bidirectional", {"layer": ("gru", {"units": 3})})], 2, True),
    ("tagging", [("bidirectional", {"layer": ("lstm", {"units": 3, **SEQ})}), ("simpleRnn", {"units": 4, **SEQ})], 2, True),
    ("cells", [("rnn", {"cell": ("stackedRnnCells", {"cells": [("gruCell", {"units": 3}), ("lstmCell", {"units": 4})]})})], 2, True),
]:
    first = [layers.Masking()] if masking else []
    model = keras.Sequential([keras.Input((T, F)), *first, *[make(s) for s in specs], layers.Dense(units)])
    weights = [draw(*w.shape) / 2 for w in model.get_weights()]
    model.set_weights(weights)
    inputs = np.where(mask[..., None], x, 0).astype("float32") if masking else x
    targets = draw(B, *model.output_shape[1:])
    model.compile(keras.optimizers.Adam(0.03125), "mse")
    losses = [float(f"{float(model.train_on_batch(inputs, targets)):.9g}") for _ in range(10)]
    trained.append(
        {
            "name": name,
            "layers": [written(s) for s in specs],
            "units": units,
            "masking": masking,
            "inputs": plain(inputs),
            "targets": plain(targets),
            "weights": [plain(w) for w in weights],
            "losses": losses,
            "after": [plain(w) for w in model.get_weights()],
        }
    )

result = {"keras": keras.__version__, "cases": recorded, "stateful": stateful, "trained": trained}
(OUT / "recurrence.json").write_text(json.dumps(result) + "\n")

# ---- ConvLSTM, with numbers of its own

rng = np.random.default_rng(48)
row, image, volume = draw(B, T, 5, 2), draw(B, T, 4, 3, 2), draw(B, T, 2, 3, 2, 1)
same = {"kernelSize": 2, "padding": "same"}
conv = []
for spec, data, state, masked in [
    (("convLstm1d", {"filters": 2, "kernelSize": 3}), row, None, False),
    (("convLstm1d", {"filters": 2, **same, **SEQ, "goBackwards": True, "useBias": False}), row, None, True),
    (("convLstm1d", {"filters": 2, "kernelSize": 2, "dilationRate": 2, "returnState": True}), row, (3, 2), True),
    (("convLstm2d", {"filters": 2, "kernelSize": [2, 1]}), image, None, False),
    (("convLstm2d", {"filters": 2, **same, **SEQ, "returnState": True}), image, (4, 3, 2), True),
    (("convLstm2d", {"filters": 1, **same, "strides": [2, 1], **SEQ, "activation": "relu", "recurrentActivation": "hardSigmoid"}), image, None, False),
    (("convLstm2d", {"filters": 2, "kernelSize": 2, "zeroOutputForMask": True, **SEQ}), image, None, True),
    (("convLstm3d", {"filters": 2, **same}), volume, None, True),
]:
    conv.append(record(spec, data, [draw(B, *state) for _ in range(2)] if state else [], masked))
stateful = [record_stateful(("convLstm2d", {"filters": 2, **same, **SEQ, "stateful": True}), T, 3, 2, 1)]
result = {"keras": keras.__version__, "cases": conv, "stateful": stateful}
(OUT / "conv-lstm.json").write_text(json.dumps(result) + "\n")
