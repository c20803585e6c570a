"""Records what keras.applications of Keras 3.15 are made of and what they compute: the outside judge of
src/models/architectures. Writes test/fixtures/applications.json.

    KERAS_BACKEND=torch keras-venv/bin/python scripts/record-applications-fixtures.py

Weights would be too large for a file, so both sides make them by one formula (see `numbers` and test/helpers/formula.ts).
"""

import json
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np  # noqa: E402
from keras import __version__, applications  # noqa: E402

OUT = pathlib.Path(__file__).parent.parent / "test" / "fixtures"


def numbers(name, size):
    """Numbers in [-0.5, 0.5) that follow from a name: FNV-1a seeds a mix of the index."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    x = np.arange(size, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(seed)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(2246822519)
    x = x ^ (x >> np.uint32(13))
    return x.astype("float64") / 2**32 - 0.5


def weight(layer, index, shape):
    """Kernels scaled as He et al. 2015 do, so that signals keep their size; others near 1 where they scale, else near 0."""
    u = numbers(f"{layer}/{index}", int(np.prod(shape)))
    if len(shape) > 1:
        depthwise = layer.endswith("depthwise")
        fan = shape[0] * shape[1] if depthwise else int(np.prod(shape[:-1]))
        values = u * np.sqrt(24 / fan)
    else:
        values = u * 0.2
        norm = layer.lower().endswith("bn") or "bn_" in layer
        if norm and index in (0, 3):  # gamma and moving variance
            values = values + 1
    return values.astype("float32").reshape(shape)


def shapes(model):
    return {l.name: list(l.output.shape) for l in model.layers if not l.name.startswith("input_layer")}


COUNTS = {
    "resnet 50 1": applications.ResNet50,
    "resnet 101 1": applications.ResNet101,
    "resnet 152 1": applications.ResNet152,
    "resnet 50 2": applications.ResNet50V2,
    "resnet 101 2": applications.ResNet101V2,
    "resnet 152 2": applications.ResNet152V2,
    "vgg 16": applications.VGG16,
    "vgg 19": applications.VGG19,
}

counts = {}
for name, make in COUNTS.items():
    model = make(weights=None)
    counts[name] = {"params": model.count_params(), "layers": len(model.layers), "shapes": shapes(model) if name.split()[1] in ("50", "16") else None}
for alpha in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4):
    model = applications.MobileNetV2(weights=None, alpha=alpha)
    counts[f"mobilenetV2 {alpha:g}"] = {"params": model.count_params(), "layers": len(model.layers), "shapes": shapes(model) if alpha == 0.75 else None}

OUTPUTS = {
    "resnet 50 1": lambda o: applications.ResNet50(**o),
    "resnet 50 2": lambda o: applications.ResNet50V2(**o),
    "vgg 16": lambda o: applications.VGG16(**o),
    "mobilenetV2 1": lambda o: applications.MobileNetV2(**o),
}

outputs = {}
for name, make in OUTPUTS.items():
    # An odd size as well: padding then falls on other sides.
    size = 32 if name.startswith("vgg") else 45
    model = make(dict(weights=None, input_shape=(size, size, 3), classes=7, classifier_activation=None))
    for layer in model.layers:
        layer.set_weights([weight(layer.name, i, w.shape) for i, w in enumerate(layer.get_weights())])
    x = (4 * numbers("input", 2 * size * size * 3)).astype("float32").reshape(2, size, size, 3)
    y = model.predict(x, verbose=0)
    print(name, y.std())
    outputs[name] = {"size": size, "output": [float(f"{v:.9g}") for v in y.reshape(-1)]}

fixture = {"keras": __version__, "counts": counts, "outputs": outputs}
(OUT / "applications.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
