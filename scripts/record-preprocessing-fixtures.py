"""Records Keras's numeric and audio preprocessing layers, for test/layers/preprocessing.test.ts. Those of strings need
TensorFlow and are not recorded. Run: KERAS_BACKEND=torch python scripts/record-preprocessing-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

L = keras.layers
random = np.random.default_rng(8)
x = (random.normal(size=(7, 3)) * [1, 20, 0] + [5, 1000, 3]).round(3).astype("float32")
signal = (np.sin(np.arange(400) * 0.11) + 0.4 * np.sin(np.arange(400) * 0.9) + 0.05 * random.normal(size=400)).round(4).astype("float32")
listed = lambda v: np.asarray(v.detach() if hasattr(v, "detach") else v, "float64").round(6).tolist()
out = {"keras": keras.__version__, "x": x.tolist(), "signal": signal.tolist(), "normalization": [], "mel": [], "stft": [], "encoding": [], "bins": []}
for axis in (-1, None):
    layer = L.Normalization(axis=axis)
    layer.adapt(x)
    out["normalization"].append({"options": {"axis": axis}, "mean": np.asarray(layer.mean).ravel().tolist(), "result": listed(layer(x))})
for options, kw in (({"mean": [1, 2, 3], "variance": [4, 9, 16]}, {}), ({"mean": [1, 2, 3], "variance": [4, 9, 16], "invert": True}, {})):
    layer = L.Normalization(**options)
    out["normalization"].append({"options": options, "result": listed(layer(x))})
ids = np.array([[0, 2, 2], [3, 1, 0]])
for mode, own in (("multi_hot", "multiHot"), ("count", "count")):
    out["encoding"].append({"options": {"numTokens": 5, "outputMode": own}, "ids": ids.tolist(), "result": listed(L.CategoryEncoding(5, output_mode=mode)(ids))})
out["encoding"].append({"options": {"numTokens": 5, "outputMode": "oneHot"}, "ids": [3, 0, 4], "result": listed(L.CategoryEncoding(5, output_mode="one_hot")(np.array([3, 0, 4])))})
values = np.array([[-1.5, 0.0], [0.5, 1.0], [2.0, 99.0]], "float32")
for mode, own in (("int", "int"), ("one_hot", "oneHot"), ("multi_hot", "multiHot"), ("count", "count")):
    v = values if mode != "one_hot" else values[:, :1]
    try:
        out["bins"].append({"options": {"binBoundaries": [0, 0.5, 2], "outputMode": own}, "values": v.tolist(),
                            "result": listed(L.Discretization(bin_boundaries=[0.0, 0.5, 2.0], output_mode=mode)(v))})
    except Exception as error:
        print("left out", mode, str(error)[:80])
S = {"fftLength": "fft_length", "sequenceStride": "sequence_stride", "sequenceLength": "sequence_length", "samplingRate": "sampling_rate",
     "numMelBins": "num_mel_bins", "minFreq": "min_freq", "maxFreq": "max_freq", "powerToDb": "power_to_db", "topDb": "top_db", "magExp": "mag_exp",
     "refPower": "ref_power", "frameLength": "frame_length", "frameStep": "frame_step", "expandDims": "expand_dims"}
named = lambda o: {S.get(k, k): v for k, v in o.items()}
base = {"fftLength": 64, "sequenceStride": 40, "samplingRate": 8000, "numMelBins": 8}
for o in (base, {**base, "sequenceLength": 50, "minFreq": 100.0, "maxFreq": 3000.0, "window": "hamming"}, {**base, "powerToDb": False, "magExp": 1.0}, {**base, "topDb": 20.0, "refPower": 3.0}):
    out["mel"].append({"options": o, "result": listed(L.MelSpectrogram(**named(o))(signal[None]))})
for o in ({"frameLength": 32}, {"frameLength": 32, "mode": "magnitude", "frameStep": 20, "scaling": "spectrum"}, {"frameLength": 30, "fftLength": 40, "mode": "psd", "padding": "same", "periodic": True},
          {"frameLength": 32, "mode": "real", "window": None}, {"frameLength": 32, "mode": "imag", "scaling": None}, {"frameLength": 20, "mode": "angle"}, {"frameLength": 32, "mode": "stft", "expandDims": True, "window": "hamming"}):
    two = np.stack([signal[:120], signal[100:220]], -1)[None]
    out["stft"].append({"options": o, "result": L.STFTSpectrogram(**named(o))(two).detach().numpy().astype("float64").round(5).tolist()})
with open("test/fixtures/preprocessing.json", "w") as f:
    json.dump(out, f)
print(os.path.getsize("test/fixtures/preprocessing.json"))
