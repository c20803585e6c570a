"""Records Keras's learning-rate schedules, gradient accumulation, loss scaling and optimizers around others, for
test/optimizers/schedules.test.ts and wrappers.test.ts.
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



def follow(optimizer, bad=(), constraint=None, steps=8):
    """Two variables; at the steps in `bad` one gradient is infinite."""
    a = keras.Variable(np.array([[0.5, -1.0], [2.0, 0.25]], "float32"), name="a")
    b = keras.Variable(np.array([1.5, -0.75, 0.1], "float32"), name="b")
    a.constraint = constraint
    optimizer.build([a, b])
    seen = []
    for step in range(steps):
        ga = np.array([[0.3, -0.2], [0.1, 0.7]], "float32") * (step + 1)
        gb = np.array([-0.4, 0.9, 0.05], "float32") * (3 - step)
        if step in bad:
            gb[1] = np.inf
        scale = getattr(optimizer, "dynamic_scale", None)
        scale = optimizer.loss_scale_factor or 1.0 if scale is None else float(scale)
        optimizer.apply([keras.ops.convert_to_tensor(ga * scale), keras.ops.convert_to_tensor(gb * scale)])
        seen.append(np.concatenate([np.asarray(a).ravel(), np.asarray(b).ravel()]).tolist())
    scale = getattr(optimizer, "dynamic_scale", None)
    run = {"weights": seen, "scale": None if scale is None else float(scale)}
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if getattr(inner, "use_ema", False):
        run["averages"] = np.concatenate([np.asarray(v).ravel() for v in inner._model_variables_moving_average]).tolist()
    return run


MAP = O.OptimizerMap(O.SGD(0.1, momentum=0.5), {"b.*": O.RMSprop(0.05)})
wrappers = [
    {"name": "sgd", "options": {"learningRate": 0.1, "gradientAccumulationSteps": 3, "useEma": True, "emaMomentum": 0.6},
     **follow(O.SGD(0.1, gradient_accumulation_steps=3, use_ema=True, ema_momentum=0.6))},
    {"name": "rmsprop", "options": {"learningRate": 0.1, "gradientAccumulationSteps": 2, "useEma": True, "emaMomentum": 0.6,
                                    "emaOverwriteFrequency": 2, "globalClipnorm": 0.5},
     **follow(O.RMSprop(0.1, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.6, ema_overwrite_frequency=2,
                        global_clipnorm=0.5))},
    {"name": "sgd", "options": {"learningRate": 0.1, "gradientAccumulationSteps": 3}, "constrained": True,
     **follow(O.SGD(0.1, gradient_accumulation_steps=3), constraint=keras.constraints.MinMaxNorm(0.2, 0.6, rate=0.5))},
    {"name": "lossScaleOptimizer", "bad": [2, 5],
     "options": {"innerOptimizer": {"name": "sgd", "options": {"learningRate": 0.1, "momentum": 0.9, "useEma": True}},
                 "initialScale": 64, "dynamicGrowthSteps": 2},
     **follow(O.LossScaleOptimizer(O.SGD(0.1, momentum=0.9, use_ema=True), 64.0, 2), bad=[2, 5])},
    {"name": "lossScaleOptimizer", "bad": [1, 2],
     "options": {"innerOptimizer": {"name": "rmsprop", "options": {"learningRate": 0.1, "gradientAccumulationSteps": 2, "clipnorm": 0.3}}},
     **follow(O.LossScaleOptimizer(O.RMSprop(0.1, gradient_accumulation_steps=2, clipnorm=0.3)), bad=[1, 2])},
    {"name": "multiOptimizer",
     "options": {"lossScaleFactor": 4, "optimizerMap": {
         "defaultOptimizer": {"name": "sgd", "options": {"learningRate": 0.1, "momentum": 0.5}},
         "optimizers": {"b.*": {"name": "rmsprop", "options": {"learningRate": 0.05}}}}},
     **follow(O.MultiOptimizer(MAP, loss_scale_factor=4.0))},
]

with open("test/fixtures/schedules.json", "w") as f:
    json.dump({"keras": keras.__version__, "steps": STEPS, "schedules": schedules, "runs": runs, "wrappers": wrappers}, f)
print(len(schedules), len(runs), len(wrappers))
