"""Training steps of the benchmark workloads in PyTorch eager, driven over stdin/stdout (see bench/peers.ts).

A line {"workload", "seconds"} trains for about that long and answers {"steps", "seconds"}; {"workload", "check": file}
takes weights and one batch from the file, trains on it a few times and answers {"losses"}.
Optimizers are the fused ones; models of images run in whichever memory format is faster here."""

import json
import resource
import sys
import time

import torch
from torch import nn

import models
import tensors

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(7)

CHECKED_STEPS = 4


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3, eps=1e-7, fused=True)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-3, eps=1e-7, weight_decay=0.004, fused=True)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)


def classes(shape, count=10):
    return torch.randint(0, count, shape)


cross_entropy = nn.CrossEntropyLoss()
binary = nn.BCEWithLogitsLoss()
squared = nn.MSELoss()


def flat_cross_entropy(output, target):
    return cross_entropy(output, target.flatten())


def column_binary(output, target):
    return binary(output, target.reshape(output.shape).float())


# Name: model, loss, optimizer, one batch (inputs, target), batches kept in memory.
WORKLOADS = {
    "mlp": (models.mlp, cross_entropy, adam, lambda: ([torch.rand(128, 784)], classes((128,))), 64),
    "autoencoder": (models.autoencoder, squared, adam, lambda: (lambda x: ([x], x))(torch.rand(256, 41)), 64),
    "xor": (
        models.xor,
        squared,
        adam,
        lambda: (
            [torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])],
            torch.tensor([[0.0], [1.0], [1.0], [0.0]]),
        ),
        1,
    ),
    "cnn": (models.cnn, cross_entropy, adam, lambda: ([torch.rand(128, 1, 28, 28)], classes((128,))), 8),
    "resnet20": (models.resnet20, cross_entropy, sgd, lambda: ([torch.rand(64, 3, 32, 32)], classes((64,))), 8),
    "lstm": (models.Lstm, cross_entropy, adam, lambda: ([torch.rand(32, 100, 64)], classes((32,))), 8),
    "gpt": (models.Gpt, flat_cross_entropy, adamw, lambda: ([classes((12, 64), 65)], classes((12, 64), 65)), 8),
    "recsys": (
        models.Recsys,
        column_binary,
        adam,
        lambda: ([classes((256,), 10000), classes((256,), 5000)], classes((256, 1), 2).float()),
        64,
    ),
    "textgru": (
        models.TextGru,
        column_binary,
        adam,
        lambda: ([classes((32, 80), 10000)], classes((32, 1), 2).float()),
        8,
    ),
}
IMAGES = {"cnn", "resnet20"}


def format_of(images_last):
    return torch.channels_last if images_last else torch.contiguous_format


class State:
    def __init__(self, name, images_last=False):
        make, self.loss_of, optimizer, batch, count = WORKLOADS[name]
        self.model = make()
        batches = [batch() for _ in range(count)]
        if name in IMAGES:
            self.model = self.model.to(memory_format=format_of(images_last))
            batches = [([x.to(memory_format=format_of(images_last)) for x in xs], y) for xs, y in batches]
        self.batches = batches if count > 1 else batches * 64
        self.optimizer = optimizer(self.model.parameters())

    def step(self, inputs, target):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss_of(self.model(*inputs), target)
        loss.backward()
        self.optimizer.step()
        return loss

    def window(self, seconds):
        steps = 0
        start = time.perf_counter()
        while True:
            for inputs, target in self.batches:
                self.step(inputs, target)
                steps += 1
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return {"steps": steps, "seconds": elapsed}


STATES = {}


def window(name, seconds):
    if name not in STATES:
        candidates = [State(name, last) for last in ((False, True) if name in IMAGES else (False,))]
        if len(candidates) > 1:
            for state in candidates:
                state.window(seconds / 2)
            candidates.sort(key=lambda state: (lambda w: w["seconds"] / w["steps"])(state.window(seconds / 2)))
        STATES[name] = candidates[0]
    return STATES[name].window(seconds)


def check(name, path):
    """Losses of a few steps on one batch, from given weights; without dropout, whose draws nobody shares."""
    arrays = tensors.read(path)
    make, loss_of, optimizer, _, _ = WORKLOADS[name]
    state = State(name)
    state.model = make(dropout=False) if name == "cnn" else make()
    models.assign(state.model, tensors.numbered(arrays, "weight"))
    for key, parameter in state.model.named_parameters():
        # Keras's LSTM has one bias where PyTorch adds two.
        if name == "lstm" and "bias_hh" in key:
            parameter.requires_grad_(False)
    state.optimizer = optimizer([p for p in state.model.parameters() if p.requires_grad])
    inputs = [torch.from_numpy(x) for x in tensors.numbered(arrays, "input")]
    inputs = [x.permute(0, 3, 1, 2) if x.ndim == 4 else x.long() if x.dtype == torch.int32 else x for x in inputs]
    target = torch.from_numpy(arrays["target"])
    target = target.long() if target.dtype == torch.int32 else target
    return {"losses": [state.step(inputs, target).item() for _ in range(CHECKED_STEPS)]}


def answer(request):
    if "check" in request:
        return check(request["workload"], request["check"])
    result = window(request["workload"], request["seconds"])
    return {**result, "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
