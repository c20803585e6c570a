"""Records what Keras 3.15 computes for embedding, einsum and attention layers: outputs with masks and options of the call,
gradients, and ten Adam steps; and what PyTorch computes for rotary positions. Writes test/fixtures/attention.json.

    python -m venv keras-venv && keras-venv/bin/pip install keras==3.15.1 torch==2.13.0 numpy
    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-attention-fixtures.py
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
rng = np.random.default_rng(21)


def draw(*shape):
    """Numbers with few digits, which float32 and JSON hold alike."""
    return (rng.integers(-200, 200, shape) / 128).astype("float32")


def ids(limit, *shape):
    return rng.integers(0, limit, shape).astype("int32")


def mask(*shape):
    """At least the first of every row."""
    m = rng.integers(0, 2, shape).astype("bool")
    m[..., 0] = True
    return m


def plain(x, digits=9):
    x = x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    data = x.reshape(-1).tolist()
    if x.dtype.kind == "f":
        data = [float(f"{v:.{digits}g}") for v in data]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": data}


def record(factory, options, layer, inputs, call, ours=None, steps=False, masks=None, blind=None):
    """`blind` [batch, T] are queries that see nothing: Keras gives them the mean of the values, and gradients as if it were
    a softmax, so none goes in there. `call(layer, tensors)` uses the Keras layer; `ours` are our call options; `masks` travel with inputs, by index."""

    def run(tensors):
        for i, m in (masks or {}).items():
            keras.src.backend.set_keras_mask(tensors[i], torch.tensor(m))
        result = call(layer, tensors)
        return list(result) if isinstance(result, (tuple, list)) else [result]

    def fresh():
        return [torch.tensor(x) for x in inputs]

    run(fresh())
    layer.set_weights([draw(*w.shape) for w in layer.get_weights()])
    weights = [plain(w) for w in layer.get_weights()]
    tensors = fresh()
    for t in tensors:
        t.requires_grad_(t.dtype == torch.float32)
    outputs = run(tensors)
    seeds = [draw(*y.shape) for y in outputs]
    if blind is not None:
        seeds = [np.where(blind.reshape(blind.shape + (1,) * (s.ndim - 2)), 0, s).astype("float32") for s in seeds]
    variables = [v for v in layer.trainable_variables]
    wanted = [t for t in tensors if t.requires_grad] + [v.value for v in variables]
    total = sum((y * torch.tensor(s)).sum() for y, s in zip(outputs, seeds))
    gradients = torch.autograd.grad(total, wanted, allow_unused=True) if wanted else []
    gradients = [torch.zeros_like(w) if g is None else g for g, w in zip(gradients, wanted)]
    case = {
        "factory": factory,
        "options": options,
        "call": ours or {},
        "masks": {str(i): plain(m) for i, m in (masks or {}).items()},
        "inputs": [plain(x) for x in inputs],
        "weightNames": [w.path.split("/", 1)[1] for w in layer.weights],
        "weights": weights,
        "outputs": [plain(y, 7) for y in outputs],
        "seeds": [plain(s) for s in seeds],
        "gradients": [plain(g, 7) for g in gradients],
    }
    if steps and variables:
        target = draw(*outputs[0].shape)
        optimizer = keras.optimizers.Adam(0.01)
        losses = []
        for _ in range(10):
            loss = ((run(fresh())[0] - torch.tensor(target)) ** 2).mean()
            losses.append(float(loss.detach()))
            grads = torch.autograd.grad(loss, [v.value for v in variables], allow_unused=True)
            with torch.no_grad():
                grads = [torch.zeros_like(v.value) if g is None else g for g, v in zip(grads, variables)]
                optimizer.apply(grads, variables)
        case["target"] = plain(target)
        case["losses"] = losses
        case["after"] = [plain(w, 7) for w in layer.get_weights()]
    return case


def one(layer, tensors):
    return layer(tensors[0])


def listed(**kwargs):
    return lambda layer, tensors: layer(list(tensors), **kwargs)


def positional(**kwargs):
    return lambda layer, tensors: layer(*tensors, **kwargs)


def with_masks(*names, **kwargs):
    """The trailing inputs are masks of these names."""

    def call(layer, tensors):
        given = dict(zip(names, tensors[len(tensors) - len(names) :]))
        return layer(*tensors[: len(tensors) - len(names)], **given, **kwargs)

    return call


x, y, z = draw(2, 3, 4), draw(2, 5, 6), draw(2, 5, 4)
image, other = draw(2, 3, 4, 5), draw(2, 2, 4, 5)
padding, steps = mask(2, 5), mask(2, 3)
no_keys = np.array([[[1, 1, 0], [0, 0, 0], [1, 1, 1]], [[1, 0, 0], [0, 1, 1], [0, 0, 0]]], dtype="bool")
CAUSAL = {"useCausalMask": True}
SCORES = {"returnAttentionScores": True}
mha = layers.MultiHeadAttention
gqa = layers.GroupQueryAttention

cases = [
    record("embedding", {"inputDim": 7, "outputDim": 3}, layers.Embedding(7, 3), [ids(7, 2, 5)], one, steps=True),
    record("embedding", {"inputDim": 9, "outputDim": 2}, layers.Embedding(9, 2), [ids(9, 4)], one),
    record(
        "einsumDense",
        {"equation": "abc,cd->abd", "outputShape": [None, 5], "biasAxes": "d"},
        layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"),
        [x],
        one,
    ),
    record(
        "einsumDense",
        {"equation": "abc,cde->abde", "outputShape": [None, 2, 3], "biasAxes": "de", "activation": "tanh"},
        layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", activation="tanh"),
        [x],
        one,
        steps=True,
    ),
    record(
        "einsumDense",
        {"equation": "...x,xy->...y", "outputShape": 4, "biasAxes": "y"},
        layers.EinsumDense("...x,xy->...y", 4, bias_axes="y"),
        [image],
        one,
    ),
    record(
        "einsumDense",
        {"equation": "ab...,bc->ac...", "outputShape": 6, "biasAxes": "c"},
        layers.EinsumDense("ab...,bc->ac...", 6, bias_axes="c"),
        [image],
        one,
    ),
    record(
        "einsumDense",
        {"equation": "abcd,bde->aecb", "outputShape": [7, None, 3], "biasAxes": "eb"},
        layers.EinsumDense("abcd,bde->aecb", (7, None, 3), bias_axes="eb"),
        [image],
        one,
    ),
    record("multiHeadAttention", {"numHeads": 2, "keyDim": 3}, mha(2, 3), [x, x], positional()),
    record("multiHeadAttention", {"numHeads": 2, "keyDim": 3}, mha(2, 3), [x, x], positional(use_causal_mask=True), CAUSAL, steps=True),
    record(
        "multiHeadAttention",
        {"numHeads": 3, "keyDim": 2, "valueDim": 5, "useBias": False, "outputShape": 7},
        mha(3, 2, value_dim=5, use_bias=False, output_shape=7),
        [x, y, z],
        positional(),
        steps=True,
    ),
    record(
        "multiHeadAttention",
        {"numHeads": 2, "keyDim": 3, "outputShape": [2, 3], "useGate": True, "valueDim": 4},
        mha(2, 3, output_shape=(2, 3), use_gate=True, value_dim=4),
        [x, y],
        positional(return_attention_scores=True),
        SCORES,
    ),
    record("multiHeadAttention", {"numHeads": 2, "keyDim": 3, "slidingWindow": 2}, mha(2, 3, sliding_window=2), [z, z], positional()),
    record(
        "multiHeadAttention",
        {"numHeads": 2, "keyDim": 3},
        mha(2, 3),
        [x, x, no_keys],
        with_masks("attention_mask"),
        {"names": ["query", "value", "attentionMask"]},
        blind=~no_keys.any(-1),
    ),
    record(
        "multiHeadAttention",
        {"numHeads": 2, "keyDim": 3},
        mha(2, 3),
        [x, x, mask(2, 3, 3)],
        with_masks("attention_mask", return_attention_scores=True, use_causal_mask=True),
        {"names": ["query", "value", "attentionMask"], **SCORES, **CAUSAL},
    ),
    record(
        "multiHeadAttention",
        {"numHeads": 2, "keyDim": 3},
        mha(2, 3),
        [x, y, z, padding, mask(2, 5)],
        with_masks("value_mask", "key_mask"),
        {"names": ["query", "value", "key", "valueMask", "keyMask"]},
        steps=True,
    ),
    record("multiHeadAttention", {"numHeads": 2, "keyDim": 3}, mha(2, 3), [x, y], positional(), masks={0: steps, 1: padding}, blind=~steps),
    record("multiHeadAttention", {"numHeads": 2, "keyDim": 3}, mha(2, 3), [x, y], positional(), masks={0: steps}, blind=~steps),
    record(
        "multiHeadAttention",
        {"numHeads": 2, "keyDim": 3},
        mha(2, 3),
        [x, x],
        positional(use_causal_mask=True),
        CAUSAL,
        masks={0: steps, 1: steps},
        blind=~steps,
    ),
    record("multiHeadAttention", {"numHeads": 2, "keyDim": 3}, mha(2, 3), [image, other], positional()),
    record("multiHeadAttention", {"numHeads": 2, "keyDim": 3, "attentionAxes": 2}, mha(2, 3, attention_axes=2), [image, image], positional()),
    record(
        "multiHeadAttention",
        {"numHeads": 2, "keyDim": 3, "attentionAxes": [1]},
        mha(2, 3, attention_axes=(1,)),
        [image, other],
        positional(return_attention_scores=True),
        SCORES,
    ),
    record(
        "groupQueryAttention",
        {"headDim": 3, "numQueryHeads": 4, "numKeyValueHeads": 2},
        gqa(3, 4, 2),
        [x, z],
        positional(),
        steps=True,
    ),
    record(
        "groupQueryAttention",
        {"headDim": 3, "numQueryHeads": 6, "numKeyValueHeads": 2, "useGate": True, "useBias": False},
        gqa(3, 6, 2, use_gate=True, use_bias=False),
        [x, x],
        positional(use_causal_mask=True, return_attention_scores=True),
        {**CAUSAL, **SCORES},
    ),
    record(
        "groupQueryAttention",
        {"headDim": 2, "numQueryHeads": 2, "numKeyValueHeads": 1, "slidingWindow": 3},
        gqa(2, 2, 1, sliding_window=3),
        [x, z, padding],
        with_masks("value_mask"),
        {"names": ["query", "value", "valueMask"]},
    ),
    record("attention", {}, layers.Attention(), [x, z], listed()),
    record("attention", {"useScale": True}, layers.Attention(use_scale=True), [x, y, z], listed(use_causal_mask=True), CAUSAL),
    record("attention", {"scoreMode": "concat"}, layers.Attention(score_mode="concat"), [x, z], listed()),
    record(
        "attention",
        {"scoreMode": "concat", "useScale": True},
        layers.Attention(score_mode="concat", use_scale=True),
        [x, z],
        listed(return_attention_scores=True, use_causal_mask=True),
        {**SCORES, **CAUSAL},
        steps=True,
    ),
    record("attention", {"useScale": True}, layers.Attention(use_scale=True), [x, z], listed(), steps=True, masks={0: steps, 1: padding}),
    record("attention", {}, layers.Attention(), [x, z], listed(), masks={0: steps, 1: np.zeros((2, 5), dtype="bool")}),
    record("additiveAttention", {}, layers.AdditiveAttention(), [x, z], listed(), steps=True),
    record(
        "additiveAttention",
        {"useScale": False},
        layers.AdditiveAttention(use_scale=False),
        [x, y[..., :4].copy(), z],
        listed(return_attention_scores=True),
        SCORES,
        masks={0: steps, 1: padding},
    ),
]

# Rotary positions, the half-split form, written out with complex numbers.


def rotary(x, positions, base):
    half = x.shape[-1] // 2
    angles = positions[..., None] * base ** (-torch.arange(half, dtype=torch.float64) * 2 / x.shape[-1])
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)[..., None, :]
    return torch.cat([turned.real, turned.imag], -1)


rotations = []
for shape, positions, base in [
    ((2, 5, 3, 8), None, 10000),
    ((1, 4, 1, 6), [7, 0, 100, 2], 10000),
    ((2, 3, 2, 4), [[0, 1, 2], [5, 9, 40]], 500),
]:
    values = draw(*shape)
    at = torch.tensor(positions if positions is not None else list(range(shape[1])))
    result = rotary(torch.tensor(values, dtype=torch.float64), at, base)
    rotations.append({"x": plain(values), "positions": positions, "base": base, "y": plain(result.float(), 7)})

(OUT / "attention.json").write_text(json.dumps({"keras": keras.__version__, "cases": cases, "rotary": rotations}) + "\n")
