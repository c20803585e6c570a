"""Reads the .safetensors files that the benchmarks hand over: 8 bytes of length, JSON, data."""

import json
import struct

import numpy as np

DTYPES = {"F32": np.float32, "I32": np.int32}


def read(path):
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    base = 8 + length

    def array(entry):
        begin, end = entry["data_offsets"]
        return np.frombuffer(content[base + begin : base + end], DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()

    return {name: array(entry) for name, entry in header.items()}


def numbered(arrays, prefix):
    """prefix0, prefix1, ... as a list."""
    count = sum(1 for name in arrays if name.startswith(prefix) and name[len(prefix) :].isdigit())
    return [arrays[f"{prefix}{i}"] for i in range(count)]
