// Hands a model's weights and data over to a peer: one .safetensors file, weights numbered in Keras's order.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeSafetensors } from "../src/formats/safetensors.ts";
import type { Model, Tensor } from "../src/index.ts";
import { torchPython } from "./peers.ts";

/** The weights layer by layer in the order of execution; in `model.weights` layers come by depth, as in Keras. */
function weightsInOrder(model: Model): Tensor[] {
  const layers = new Set(model.layerCalls.map((call) => call.layer));
  return [...layers].flatMap((layer) => layer.weights.map((w) => w.read()));
}

let folder: string | undefined;

/** A folder for handing over, removed when the process ends. */
async function exchangeFolder(): Promise<string> {
  if (folder === undefined) {
    const made = await mkdtemp(join(tmpdir(), "myelin-bench-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}

/** @returns a path in a folder that is removed at the end */
export async function exchangePath(name: string): Promise<string> {
  return join(await exchangeFolder(), name);
}

/** @returns the path of the file */
export async function handOver(
  name: string,
  model: Model,
  data: { inputs?: readonly Tensor[]; target?: Tensor } = {},
): Promise<string> {
  const tensors: Record<string, Tensor> = {};
  weightsInOrder(model).forEach((t, i) => {
    tensors[`weight${i}`] = t;
  });
  data.inputs?.forEach((t, i) => {
    tensors[`input${i}`] = t;
  });
  if (data.target) tensors.target = data.target;
  const path = await exchangePath(`${name}.safetensors`);
  await writeSafetensors(path, new Map(Object.entries(tensors)));
  return path;
}

/** The network as bench/torch/export.py writes it, with our weights. @returns the path of the ONNX file */
export async function exportOnnx(name: string, network: string, model: Model): Promise<string> {
  const weights = await handOver(name, model);
  const onnx = await exchangePath(`${name}.onnx`);
  const script = fileURLToPath(new URL("torch/export.py", import.meta.url));
  execFileSync(torchPython!, [script, network, weights, onnx], { stdio: ["ignore", "ignore", "pipe"] });
  return onnx;
}
