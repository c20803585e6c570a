"""Records Keras's learning-rate schedules, gradient accumulation and loss scaling, for test/optimizers/schedules.test.ts.
Run: KERAS_BACKEND=torch python scripts/record-schedule-fixtures.py"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

S = keras.optimizers.schedules
STEPS = [0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 14, 20, 25, 31, 50, 99, 100, 101, 250]


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


CASES = [
    ("ExponentialDecay", {"initialLearningRate": 0.1, "decaySteps": 10, "decayRate": 0.9}),
    ("ExponentialDecay", {"initialLearningRate": 0.1, "decaySteps": 4, "decayRate": 0.5, "staircase": True}),
    ("InverseTimeDecay", {"initialLearningRate": 0.1, "decaySteps": 3, "decayRate": 0.5}),
    ("InverseTimeDecay", {"initialLearningRate": 0.1, "decaySteps": 3, "decayRate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [4, 10, 100], "values": [1.0, 0.5, 0.25, 0.125]}),
    ("PolynomialDecay", {"initialLearningRate": 0.1, "decaySteps": 20}),
    ("PolynomialDecay", {"initialLearningRate": 0.1, "decaySteps": 20, "endLearningRate": 0.01, "power": 2.5}),
    ("PolynomialDecay", {"initialLearningRate": 0.1, "decaySteps": 20, "endLearningRate": 0.01, "power": 0.5, "cycle": True}),
    ("CosineDecay", {"initialLearningRate": 0.1, "decaySteps": 30}),
    ("CosineDecay", {"initialLearningRate": 0.1, "decaySteps": 30, "alpha": 0.2}),
    ("CosineDecay", {"initialLearningRate": 0.0, "decaySteps": 30, "alpha": 0.1, "warmupTarget": 0.2, "warmupSteps": 10}),
    ("CosineDecayRestarts", {"initialLearningRate": 0.1, "firstDecaySteps": 10}),
    ("CosineDecayRestarts", {"initialLearningRate": 0.1, "firstDecaySteps": 10, "tMul": 1.0, "mMul": 0.8, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initialLearningRate": 0.1, "firstDecaySteps": 7, "tMul": 1.5, "mMul": 0.5, "alpha": 0.05}),
]
schedules = []
for name, options in CASES:
    schedule = getattr(S, name)(**{snake(k): v for k, v in options.items()})
    values = [float(schedule(keras.ops.convert_to_tensor(s, "int32"))) for s in STEPS]
    schedules.append({"name": name[0].lower() + name[1:], "options": options, "values": values})


def train(optimizer, steps=7):
    w = keras.Variable(np.array([[0.5, -1.0], [2.0, 0.25]], "float32"), name="w")
    optimizer.build([w])
    seen = []
    for step in range(steps):
        gradient = np.array([[0.3, -0.2], [0.1, 0.7]], "float32") * (step + 1)
        scale = optimizer.loss_scale_factor or 1
        optimizer.apply([keras.ops.convert_to_tensor(gradient * scale)])
        seen.append(np.asarray(w).ravel().tolist())
    return seen


O = keras.optimizers
RUNS = [
    ("sgd", {"learningRate": 0.1, "gradientAccumulationSteps": 3}, O.SGD(0.1, gradient_accumulation_steps=3)),
    ("sgd", {"learningRate": 0.1, "momentum": 0.9, "gradientAccumulationSteps": 2, "clipnorm": 0.5},
     O.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2, clipnorm=0.5)),
    ("adam", {"learningRate": 0.1, "gradientAccumulationSteps": 2, "weightDecay": 0.01},
     O.Adam(0.1, gradient_accumulation_steps=2, weight_decay=0.01)),
    ("adam", {"learningRate": 0.1, "lossScaleFactor": 128}, O.Adam(0.1, loss_scale_factor=128.0)),
    ("rmsprop", {"learningRate": {"name": "exponentialDecay", "options": {"initialLearningRate": 0.1, "decaySteps": 2, "decayRate": 0.5}}},
     O.RMSprop(S.ExponentialDecay(0.1, 2, 0.5))),
    ("sgd", {"learningRate": {"name": "exponentialDecay", "options": {"initialLearningRate": 0.1, "decaySteps": 2, "decayRate": 0.5}},
             "gradientAccumulationSteps": 2}, O.SGD(S.ExponentialDecay(0.1, 2, 0.5), gradient_accumulation_steps=2)),
]
runs = [{"name": name, "options": options, "weights": train(optimizer)} for name, options, optimizer in RUNS]

with open("test/fixtures/schedules.json", "w") as f:
    json.dump({"keras": keras.__version__, "steps": STEPS, "schedules": schedules, "runs": runs}, f)
print(len(schedules), len(runs))
