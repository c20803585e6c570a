"""Training steps of the benchmark workloads in PyTorch eager, driven over stdin/stdout (see bench/peers.ts)."""

import json
import sys
import time

import torch
from torch import nn

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(7)


def mlp():
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    batches = [(torch.rand(128, 784), torch.randint(0, 10, (128,))) for _ in range(64)]
    return model, nn.CrossEntropyLoss(), batches


def autoencoder():
    sizes = [41, 32, 8, 32, 41]
    parts = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        parts.append(nn.Linear(a, b))
        if i < 3:
            parts.append(nn.ReLU())
    batches = [(x, x) for x in (torch.rand(256, 41) for _ in range(64))]
    return nn.Sequential(*parts), nn.MSELoss(), batches


def xor():
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    return model, nn.MSELoss(), [(x, y)]


BUILD = {"mlp": mlp, "autoencoder": autoencoder, "xor": xor}
STATE = {}


def window(name, seconds):
    if name not in STATE:
        model, loss_of, batches = BUILD[name]()
        STATE[name] = (model, loss_of, batches, torch.optim.Adam(model.parameters(), lr=1e-3, fused=True))
    model, loss_of, batches, optimizer = STATE[name]
    steps = 0
    start = time.perf_counter()
    while True:
        for x, y in batches if len(batches) > 1 else batches * 64:
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(x), y).backward()
            optimizer.step()
            steps += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return {"steps": steps, "seconds": elapsed}


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(window(request["workload"], request["seconds"])), flush=True)
