"""Single operations in PyTorch, driven over stdin/stdout (see bench/compare.ts).

{"workload", "check": file, "out": path} takes the inputs from the file and writes the result as raw float32;
{"workload", "seconds"} repeats the operation on those inputs for that long and answers {"steps", "seconds"}.
Results go to memory that exists (out=...) wherever PyTorch offers it."""

import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import tensors

torch.set_num_threads(int(sys.argv[1]))
torch.set_grad_enabled(False)


def unary(function):
    def make(x):
        out = torch.empty_like(x)
        return lambda: function(x, out=out)

    return make


def gelu(approximate):
    def make(x):
        out = torch.empty_like(x)
        return lambda: torch.ops.aten.gelu.out(x, approximate=approximate, out=out)

    return make


def relu(x):
    out = torch.empty_like(x)
    return lambda: torch.clamp_min(x, 0, out=out)


def add(x, y):
    out = torch.empty_like(x)
    return lambda: torch.add(x, y, out=out)


def softmax(x):
    out = torch.empty_like(x)
    return lambda: torch.softmax(x, -1, out=out)


def layer_norm(x, gamma, beta):
    return lambda: F.layer_norm(x, x.shape[-1:], gamma, beta, 1e-3)


def adam(p, g):
    parameter = torch.nn.Parameter(p)
    parameter.grad = g
    optimizer = torch.optim.Adam([parameter], lr=1e-3, eps=1e-7, fused=True)

    def run():
        optimizer.step()
        return parameter

    return run


def matmul(a, b):
    out = torch.empty(a.shape[0], b.shape[1])
    return lambda: torch.mm(a, b, out=out)


def image(x):
    return x.permute(0, 3, 1, 2)  # channels last already


def kernel(w):
    return w.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)


def channels_last(y):
    return y.permute(0, 2, 3, 1).contiguous()


def conv(x, w):
    x, w = image(x), kernel(w)
    pad = (w.shape[2] - 1) // 2
    run = lambda: F.conv2d(x, w, padding=pad)
    run.show = channels_last
    return run


def conv_input_grad(g, w):
    g, w = image(g), kernel(w)
    pad = (w.shape[2] - 1) // 2
    shape = (g.shape[0], w.shape[1], g.shape[2], g.shape[3])
    run = lambda: torch.ops.aten.convolution_backward(
        g, torch.empty(shape).to(memory_format=torch.channels_last), w, None, (1, 1), (pad, pad), (1, 1), False, (0, 0), 1, (True, False, False)
    )[0]  # fmt: skip
    run.show = channels_last
    return run


def conv_kernel_grad(x, g):
    x, g = image(x), image(g)
    w = torch.empty(g.shape[1], x.shape[1], 3, 3).to(memory_format=torch.channels_last)
    run = lambda: torch.ops.aten.convolution_backward(
        g, x, w, None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1, (False, True, False)
    )[1]  # fmt: skip
    run.show = lambda y: y.permute(2, 3, 1, 0).contiguous()
    return run


OPS = {
    "exp": unary(torch.exp),
    "sigmoid": unary(torch.sigmoid),
    "tanh": unary(torch.tanh),
    "gelu-tanh": gelu("tanh"),
    "gelu-erf": gelu("none"),
    "relu": relu,
    "add": add,
    "softmax": softmax,
    "layerNorm": layer_norm,
    "adam": adam,
    "matmul": matmul,
    "conv": conv,
    "convInputGrad": conv_input_grad,
    "convKernelGrad": conv_kernel_grad,
}
RUNS = {}


def check(name, path, out):
    arrays = [torch.from_numpy(a) for a in tensors.numbered(tensors.read(path), "input")]
    run = RUNS[name] = OPS[name.split(" ")[0]](*arrays)
    result = getattr(run, "show", lambda y: y)(run()).detach()
    np.ascontiguousarray(result.numpy()).tofile(out)
    return {"shape": list(result.shape)}


def window(name, seconds):
    run = RUNS[name]
    steps = 0
    start = time.perf_counter()
    while True:
        for _ in range(10):
            run()
        steps += 10
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return {"steps": steps, "seconds": elapsed}


for line in sys.stdin:
    request = json.loads(line)
    name = request["workload"]
    print(
        json.dumps(check(name, request["check"], request["out"]) if "check" in request else window(name, request["seconds"])),
        flush=True,
    )
