"""Reads event files with TensorBoard's own reader and prints what is in them: python scripts/check-tensorboard.py LOGDIR"""

import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

for folder in sorted({p.parent for p in Path(sys.argv[1]).rglob("events.out.tfevents.*")}):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})
    events.Reload()
    tags = events.Tags()
    print(folder.name)
    for tag in tags["scalars"]:
        print("  scalar", tag, [(e.step, round(e.value, 5)) for e in events.Scalars(tag)][:4])
    for tag in tags["histograms"]:
        h = events.Histograms(tag)[-1].histogram_value
        print("  histogram", tag, "of", int(h.num), "numbers from", round(h.min, 4), "to", round(h.max, 4))
    if tags["graph"]:
        print("  graph", [n.name for n in events.Graph().node])
