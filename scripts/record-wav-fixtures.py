"""Writes small WAV files with libsndfile (pip install soundfile), for test/loaders/audio.test.ts."""

import base64
import io
import json

import numpy as np
import soundfile

x = np.round(np.stack([np.sin(np.arange(9) * 0.9), np.cos(np.arange(9) * 0.5)], -1) * 0.8, 4)
files = []
for subtype, tolerance in (("PCM_U8", 0.01), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 1e-6), ("DOUBLE", 1e-6)):
    for container in ("WAV", "WAVEX"):
        out = io.BytesIO()
        soundfile.write(out, x, 8000, subtype=subtype, format=container)
        files.append({"name": f"{container} {subtype}", "tolerance": tolerance, "bytes": base64.b64encode(out.getvalue()).decode()})
with open("test/fixtures/wav.json", "w") as f:
    json.dump({"samples": x.tolist(), "files": files}, f)
