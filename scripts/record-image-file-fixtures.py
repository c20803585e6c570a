"""Records image files written by Pillow, and what Keras reads from them, for test/loaders/images.test.ts.
Run: KERAS_BACKEND=torch python scripts/record-image-file-fixtures.py"""

import base64
import io
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
from PIL import Image

rng = np.random.default_rng(5)
rgba = rng.integers(0, 256, (5, 4, 4), dtype=np.uint8)
pictures = {
    "rgb.png": Image.fromarray(rgba[..., :3]),
    "rgba.png": Image.fromarray(rgba),
    "gray.png": Image.fromarray(rgba[..., 0]),
    "palette.png": Image.fromarray(rgba[..., :3]).quantize(6),
    "bits.png": Image.fromarray(rgba[..., 0]).convert("1"),
    "lossless.webp": Image.fromarray(rgba[..., :3]),
    "picture.tif": Image.fromarray(rgba[..., :3]),
    "first.gif": Image.fromarray(rgba[..., 0]),
}
cases = []
for name, picture in pictures.items():
    data = io.BytesIO()
    picture.save(data, format=name.split(".")[1].replace("tif", "tiff"), **({"lossless": True} if "webp" in name else {}))
    for mode in ["rgb", "grayscale", "rgba"]:
        read = keras.utils.img_to_array(keras.utils.load_img(io.BytesIO(data.getvalue()), color_mode=mode))
        cases.append({"name": name, "colorMode": mode, "bytes": base64.b64encode(data.getvalue()).decode(), "shape": list(read.shape), "values": read.ravel().astype(int).tolist()})
with open("test/fixtures/image-files.json", "w") as f:
    json.dump({"keras": keras.__version__, "cases": cases}, f)
