"""Records what Keras's image layers make of images for transformations that are given, for test/layers/image.test.ts.
Run: KERAS_BACKEND=torch python scripts/record-image-fixtures.py"""

import json
import math
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

L = keras.layers
random = np.random.default_rng(3)
images = np.round(random.uniform(0, 255, (2, 5, 6, 3)), 1).astype("float32")
t = lambda x: keras.ops.convert_to_tensor(np.asarray(x, "float32"))
per = lambda *v: t(np.array(v).reshape(-1, 1, 1, 1))
out = []


def add(name, options, layer, drawn, ours, x=images):
    y = layer.transform_images(t(x), drawn, training=True)
    out.append({"name": name, "options": options, "drawn": ours, "result": np.asarray(y).round(4).tolist()})


flips = keras.ops.convert_to_tensor(np.array([True, False]).reshape(2, 1, 1, 1))
for mode, own in (("horizontal", "horizontal"), ("vertical", "vertical"), ("horizontal_and_vertical", "horizontalAndVertical")):
    add("randomFlip", {"mode": own}, L.RandomFlip(mode), {"flips": flips, "input_shape": images.shape}, {"flips": [1, 0]})
for fill in ("reflect", "constant", "wrap", "nearest"):
    for how in ("bilinear", "nearest"):
        o = {"fillMode": fill, "interpolation": how, "fillValue": 7}
        k = {"fill_mode": fill, "interpolation": how, "fill_value": 7.0}
        add("randomTranslation", {**o, "heightFactor": 1, "widthFactor": 1}, L.RandomTranslation(1.0, 1.0, **k),
            {"translations": t([[1.3, -0.7], [-7.25, 6.6]]), "input_shape": images.shape}, {"x": [1.3, -7.25], "y": [-0.7, 6.6]})
    k = {"fill_mode": fill, "fill_value": 7.0}
    o = {"fillMode": fill, "fillValue": 7}
    rotation = L.RandomRotation(0.5, **k)
    angle = t([25.0, -140.0])
    zero = keras.ops.zeros([2])
    matrix = rotation._compute_affine_matrix(center_x=0.5, center_y=0.5, angle=angle, translate_x=zero, translate_y=zero,
                                             scale=keras.ops.ones([2]), shear_x=zero, shear_y=zero, height=5, width=6)
    add("randomRotation", {**o, "factor": 0.5}, rotation,
        {"angle": angle, "rotation_matrix": matrix, "image_height": 5, "image_width": 6, "batch_size": 2},
        {"angle": [math.radians(25), math.radians(-140)]})
    add("randomZoom", {**o, "heightFactor": 0.5}, L.RandomZoom(0.5, 0.5, **k),
        {"height_zoom": t([[0.6], [1.4]]), "width_zoom": t([[1.2], [0.9]]), "input_shape": images.shape}, {"x": [1.2, 0.9], "y": [0.6, 1.4]})
    add("randomShear", {**o, "xFactor": 0.5}, L.RandomShear(0.5, 0.5, **k),
        {"shear_factor": t([[0.3, -0.2], [-0.45, 0.1]]), "input_shape": images.shape}, {"x": [0.3, -0.45], "y": [-0.2, 0.1]})
add("randomBrightness", {"factor": 1}, L.RandomBrightness(1.0), {"rgb_delta": per(51.0, -127.5)}, {"factor": [0.2, -0.5]})
add("randomContrast", {"factor": 1}, L.RandomContrast(1.0), {"contrast_factor": per(1.5, 0.25)}, {"factor": [1.5, 0.25]})
add("randomHue", {"factor": 1}, L.RandomHue(1.0), {"factor": t([0.3, -0.45])}, {"factor": [0.3, -0.45]})
unit = images / 255
add("randomSaturation", {"factor": 1, "valueRange": [0, 1]}, L.RandomSaturation(1.0, value_range=(0, 1)), {"factor": t([0.4, 1.8])}, {"factor": [0.4, 1.8]}, unit)
add("randomColorDegeneration", {"factor": 1}, L.RandomColorDegeneration(1.0), {"factor": per(0.3, 1.0)}, {"factor": [0.3, 1.0]})
add("randomPosterization", {"factor": 4}, L.RandomPosterization(4),
    {"shift_factor": keras.ops.convert_to_tensor(np.array([3, 6], "uint8"))}, {"factor": [8, 64]})
yes = lambda *v: keras.ops.convert_to_tensor(np.array(v))
add("randomInvert", {}, L.RandomInvert(), {"apply_inversion": yes(True, False)}, {"factor": [1, 0]})
add("randomGrayscale", {}, L.RandomGrayscale(), yes(False, True).reshape(2, 1, 1, 1), {"factor": [0, 1]})
add("solarization", {}, L.Solarization(), {"additions": per(20.0, 0.0), "thresholds": per(128.0, 60.0)}, {"addition": [20, 0], "threshold": [128, 60]})
add("randomSharpness", {"factor": 1}, L.RandomSharpness(1.0), {"factor": t([0.1, 0.9])}, {"factor": [0.1, 0.9]})
add("randomGaussianBlur", {"kernelSize": 3}, L.RandomGaussianBlur(kernel_size=3),
    {"should_apply_blur": yes(True, False), "blur_factor": t([0.8, 0.6])}, {"isBlurred": [1, 0], "sigma": [0.6, 0.8]})
corners = np.array([[0, 0], [5, 0], [0, 4], [5, 4]], "float32")
moved = np.stack([corners * (1 + random.uniform(-0.5, 0.5, (4, 2))) for _ in range(2)]).round(3).astype("float32")
for how in ("bilinear", "nearest"):
    add("randomPerspective", {"interpolation": how, "fillValue": 7}, L.RandomPerspective(interpolation=how, fill_value=7.0),
        {"apply_perspective": yes(True, True), "start_points": t([corners, corners]), "end_points": t(moved), "input_shape": images.shape},
        {"x": moved[..., 0].tolist(), "y": moved[..., 1].tolist()})
push = random.normal(0, 2, (2, 2, 30)).round(3).astype("float32")
gx, gy = np.tile(np.arange(6), 5), np.repeat(np.arange(5), 6)
for fill in ("reflect", "mirror", "constant", "wrap", "nearest"):
    seen = [[np.asarray(keras.ops.image.map_coordinates(t(images[b, ..., c]), t([gy + push[b, 1], gx + push[b, 0]]), 1, fill, 7.0)).reshape(5, 6)
             for c in range(3)] for b in range(2)]
    out.append({"name": "randomElasticTransform", "options": {"fillMode": fill, "fillValue": 7},
                "drawn": {"dx": push[:, 0].tolist(), "dy": push[:, 1].tolist()}, "result": np.moveaxis(np.array(seen), 1, -1).round(4).tolist()})
plain = []
# PyTorch's one_hot gives whole numbers, by which the clip limit is cut to one too; with TensorFlow and JAX it is a float.
nn = L.ContrastLimitedAdaptiveHistogramEqualization().backend.nn
whole = nn.one_hot
nn.one_hot = lambda *a, **k: whole(*a, **{"dtype": "float32", **k})
each = lambda layer: (lambda x: np.concatenate([np.asarray(layer(x[i : i + 1], training=True)) for i in range(len(x))]))
for name, options, layer in (
    ("autoContrast", {}, L.AutoContrast()),
    ("equalization", {}, each(L.Equalization())),
    ("equalization", {"bins": 16, "valueRange": [-10, 300]}, each(L.Equalization(value_range=(-10, 300), bins=16))),
    ("contrastLimitedAdaptiveHistogramEqualization", {"tileGridSize": [2, 2]}, L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))),
    ("contrastLimitedAdaptiveHistogramEqualization", {"tileGridSize": [3, 4], "clipLimit": 40}, L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(3, 4), clip_limit=40.0)),
    ("contrastLimitedAdaptiveHistogramEqualization", {"tileGridSize": [1, 2], "clipLimit": 0, "valueRange": [0, 256]}, L.ContrastLimitedAdaptiveHistogramEqualization(value_range=(0, 256), tile_grid_size=(1, 2), clip_limit=0)),
    ("centerCrop", {"height": 3, "width": 2}, L.CenterCrop(3, 2)),
    ("centerCrop", {"height": 4, "width": 8}, L.CenterCrop(4, 8)),
):
    plain.append({"name": name, "options": options, "result": np.asarray(layer(images)).round(4).tolist()})
with open("test/fixtures/image.json", "w") as f:
    json.dump({"keras": keras.__version__, "images": images.tolist(), "cases": out, "plain": plain}, f)
print(len(out), os.path.getsize("test/fixtures/image.json"))
