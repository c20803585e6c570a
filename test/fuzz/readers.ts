// Everything that reads what strangers may have written, with inputs to begin from.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Random } from "../../src/core/random.ts";
import { Table } from "../../src/data/table.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors.ts";
import {
  input,
  layers,
  loadModel,
  type Model,
  model,
  modelFromJSON,
  sequential,
  Tensor,
} from "../../src/index.ts";
import { readWav, writeWav } from "../../src/loaders/audio.ts";
import { readCsv } from "../../src/loaders/csv.ts";
import { readIdx } from "../../src/loaders/idx.ts";
import { readLines, readText } from "../../src/loaders/text.ts";
import { loadTabular, trainTabular } from "../../src/tabular/index.ts";
import { mutateBytes, mutateJson } from "./mutate.ts";

export interface Reader {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  mutate(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array;
  /** May throw a MyelinError, and nothing else. */
  read(bytes: Uint8Array): Promise<unknown>;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Bytes as they are, or as JSON where they still are. */
function mutateText(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  try {
    if (random.uniform() < 0.8) return bytesOf(mutateJson(random, textOf(bytes)));
  } catch {
    // Damaged before.
  }
  return mutateBytes(random, bytes, other);
}

/** Of several kinds of layers, small. */
function models(): Model[] {
  const x = input({ shape: [4, 6] });
  const attended = layers.multiHeadAttention({ numHeads: 2, keyDim: 3 }).apply([x, x]);
  const branch = layers.lstm({ units: 3, returnSequences: true, dropout: 0.1 }).apply(x);
  const joined = layers.concatenate().apply([attended, branch]);
  return [
    sequential([
      layers.dense({ units: 3, activation: "relu", inputShape: [4], kernelRegularizer: "l2" }),
      layers.batchNormalization(),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 2, activation: "softmax" }),
    ]),
    sequential([
      layers.conv2d({ filters: 2, kernelSize: 3, padding: "same", inputShape: [6, 6, 1] }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 1 }),
    ]),
    model({ inputs: x, outputs: layers.globalAveragePooling1d().apply(joined) }),
    sequential([
      layers.embedding({ inputDim: 9, outputDim: 4, maskZero: true, inputShape: [5] }),
      layers.bidirectional({ layer: layers.gru({ units: 3 }) }),
      layers.dense({ units: 1, activation: "sigmoid" }),
    ]),
  ];
}

/** All readers; `close` removes the files they worked with. */
export async function makeReaders(): Promise<{ readers: Reader[]; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "myelin-fuzz-"));
  const saved = join(folder, "model");
  const tabular = join(folder, "tabular");
  const all = models();
  for (const m of all) m.compile({ optimizer: "adam", loss: "meanSquaredError" });
  await all[0]!.save(saved);
  const table = Table.fromColumns({
    size: Float64Array.from({ length: 60 }, (_, i) => (i % 9 === 0 ? Number.NaN : i * 1.5)),
    colour: Array.from({ length: 60 }, (_, i) => ["red", "green", ""][i % 3]!),
    day: Array.from({ length: 60 }, (_, i) => `2026-01-${String(1 + (i % 28)).padStart(2, "0")}`),
    liked: Array.from({ length: 60 }, (_, i) => i % 3 === 0),
  });
  const trained = await trainTabular(table, { target: "liked", epochs: 1, hiddenUnits: [2], verbose: 0 });
  await trained.tabular.save(tabular);
  const wav = join(folder, "a.wav");
  await writeWav(wav, new Tensor(Float32Array.from({ length: 20 }, Math.sin), [10, 2], "float32"), 8000);
  const idx = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
  const floats = Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 2, 63, 128, 0, 0, 64, 0, 0, 0);
  const tensors = new Map([
    ["a", new Tensor(Float32Array.of(1, 2, 3, 4), [2, 2], "float32")],
    ["b/c", new Tensor(Int32Array.of(7), [], "int32")],
  ]);
  const json = async (path: string) => bytesOf(JSON.stringify(JSON.parse(await readFile(join(path, "model.json"), "utf8")))); // biome-ignore format: one line
  const into = (path: string, read: (path: string) => Promise<unknown>) => async (bytes: Uint8Array) => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "model.json"), bytes);
    return read(path);
  };
  const readers: Reader[] = [
    {
      name: "safetensors",
      seeds: [joined(encodeSafetensors(tensors, { format: "myelin" })), joined(encodeSafetensors(new Map()))],
      mutate: mutateBytes,
      read: async (bytes) => decodeSafetensors(bytes),
    },
    { name: "model.json", seeds: [await json(saved)], mutate: mutateText, read: into(saved, loadModel) },
    {
      name: "architecture",
      seeds: all.map((m) => bytesOf(JSON.stringify(m))),
      mutate: mutateText,
      read: async (bytes) => {
        let json: unknown;
        try {
          json = JSON.parse(textOf(bytes));
        } catch {
          return undefined; // not the library's
        }
        return modelFromJSON(json as never).countParams();
      },
    },
    { name: "tabular", seeds: [await json(tabular)], mutate: mutateText, read: into(tabular, loadTabular) },
    { name: "idx", seeds: [idx, floats], mutate: mutateBytes, read: (bytes) => readIdx([bytes]) },
    {
      name: "wav",
      seeds: [await readFile(wav)],
      mutate: mutateBytes,
      read: (bytes) => readWav(Uint8Array.from(bytes)),
    },
    {
      name: "csv",
      seeds: [
        bytesOf('a,b,"c d"\n1,x,true\n2.5,"y, ""z""",false\n,NA,\n'),
        bytesOf("n\n1\n-2\n9007199254740993\n0x10\n1e400\ninf\n"),
      ],
      mutate: mutateBytes,
      read: (bytes) => readCsv([bytes]),
    },
    {
      name: "text",
      seeds: [bytesOf("one\r\ntwo\n\u00e9\u{1f600}\n")],
      mutate: mutateBytes,
      read: async (bytes) => [await readText([bytes]), await readLines([bytes])],
    },
  ];
  return { readers, close: () => rm(folder, { recursive: true, force: true }) };
}

function joined(parts: Iterable<Uint8Array> | Uint8Array): Uint8Array {
  return parts instanceof Uint8Array ? parts : Buffer.concat([...parts]);
}
