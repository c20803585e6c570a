"""Writes a benchmark model as ONNX with weights in Keras's order: export.py NAME WEIGHTS.safetensors OUT.onnx

Images come channels first, as PyTorch and ONNX have them; the batch is free. Batch norm is folded by whoever runs it."""

import sys

import torch
from torch import nn

import models
import tensors

SHAPES = {
    "mlp": (models.mlp, (784,), True),
    "cnn": (lambda: models.cnn(dropout=False), (1, 28, 28), True),
    "resnet20": (models.resnet20, (3, 32, 32), True),
    "mobilenetv2": (models.mobilenet_v2, (3, 224, 224), True),
    "resnet50": (models.resnet50, (3, 224, 224), True),
    "bert-mini": (models.BertMini, (128,), False),
}

name, weights, out = sys.argv[1:]
make, shape, softmax = SHAPES[name]
model = make()
models.assign(model, tensors.numbered(tensors.read(weights), "weight"))
if softmax:
    model = nn.Sequential(model, nn.Softmax(-1))
model.eval()
example = torch.zeros((2, *shape), dtype=torch.float32 if softmax else torch.int64)
axes = {"x": {0: "batch"}, "y": {0: "batch"}}
torch.onnx.export(
    model, (example,), out, input_names=["x"], output_names=["y"], dynamic_axes=axes, opset_version=17, dynamo=False
)
