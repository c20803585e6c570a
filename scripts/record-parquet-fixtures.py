"""Writes test/fixtures/parquet/*.parquet with pyarrow: tiny files of every column type, packed in several ways.

Run with a Python that has pyarrow: python scripts/record-parquet-fixtures.py
"""

import datetime
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).parent.parent / "test" / "fixtures" / "parquet"
OUT.mkdir(exist_ok=True)

table = pa.table(
    {
        "i32": pa.array([1, -2, 3, 2**31 - 1, 0], pa.int32()),
        "i64": pa.array([1, 2**40, -(2**53) + 1, 0, 5], pa.int64()),
        "small": pa.array([7, None, 9, 10, 11], pa.int64()),
        "u8": pa.array([0, 255, 1, 2, 3], pa.uint8()),
        "f32": pa.array([0.5, None, -1.25, float("inf"), 3.0], pa.float32()),
        "f64": pa.array([1 / 3, 2.0, None, 4.0, -0.0], pa.float64()),
        "flag": pa.array([True, False, True, True, False]),
        "maybe": pa.array([True, None, False, None, True]),
        "text": pa.array(["a", None, "åé", "", "a"]),
        "word": pa.array(["x", "y", "x", "y", None]).dictionary_encode(),
        "day": pa.array([datetime.date(2024, 1, d) for d in range(1, 6)]),
        "time": pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5, 678000)] * 5, pa.timestamp("us")),
        "none": pa.array([None] * 5, pa.string()),
        "late": pa.array([None, None, None, "z", "w"], pa.string()),
        "price": pa.array([1, 2, 3, 4, 5], pa.decimal128(10, 2)),
    }
)
for codec in ("none", "snappy", "gzip", "zstd"):
    pq.write_table(table, OUT / f"types-{codec}.parquet", compression=codec, row_group_size=2)
pq.write_table(pa.table({"n": [1, 2], "tags": [[1, 2], [3]]}), OUT / "lists.parquet")
pq.write_table(pa.table({"id": [1, 2**53 + 1]}), OUT / "big.parquet")
pq.write_table(pa.table({"n": pa.array([], pa.int32())}), OUT / "empty.parquet")
