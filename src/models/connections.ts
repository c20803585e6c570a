// The connections of a functional model as plain data: layers, the calls between them in order, inputs and outputs.
// A tensor is written [call, output]; a call refers to earlier ones only, so what is read back can have no cycle.

import { describe, MyelinError } from "../core/errors.ts";
import { InputLayer } from "../layers/core.ts";
import type { Layer } from "../layers/layer.ts";
import { flatten, type Layout, type Nest, pack } from "../layers/nest.ts";
import type { LayerConfig, LayerReader } from "../layers/registry.ts";
import { SymbolicTensor } from "../layers/symbolic.ts";
import type { Topology } from "./topology.ts";

type TensorRef = readonly [call: number, output: number];

interface CallConfig {
  readonly layer: string;
  /** Null for an input layer. */
  readonly inputs: Nest<TensorRef> | null;
  /** What `apply` was given beside inputs; absent: nothing. */
  readonly options?: Readonly<Record<string, unknown>>;
}

export interface ConnectionsConfig {
  readonly layers: readonly LayerConfig[];
  readonly calls: readonly CallConfig[];
  readonly inputs: Nest<TensorRef>;
  readonly outputs: Nest<TensorRef>;
}

export function connectionsConfig(
  topology: Topology,
  inputLayout: Layout,
  outputLayout: Layout,
): ConnectionsConfig {
  const position = new Map(topology.calls.map((call, i) => [call, i]));
  const ref = (t: SymbolicTensor): TensorRef => {
    const real = topology.resolve(t);
    return [position.get(real.call)!, real.index];
  };
  return {
    layers: topology.layers.map((layer) => ({ className: layer.className, config: layer.getConfig() })),
    calls: topology.calls.map((call) => ({
      layer: call.layer.name,
      inputs: call.inputs.length === 0 ? null : pack(call.inputs.map(ref), call.inputLayout),
      ...(Object.keys(call.options ?? {}).length > 0 ? { options: call.options } : {}),
    })),
    inputs: pack(topology.inputs.map(ref), inputLayout),
    outputs: pack(topology.outputs.map(ref), outputLayout),
  };
}

/** Makes the layers and repeats the calls. The data may come from a file: everything is checked. */
export function readConnections(
  config: Readonly<Record<string, unknown>>,
  read: LayerReader,
): { inputs: Nest<SymbolicTensor>; outputs: Nest<SymbolicTensor> } {
  const layers = new Map<string, Layer>();
  for (const entry of list("layers", config.layers)) {
    const layer = read(entry as LayerConfig);
    if (layers.has(layer.name)) throw wrong("layers", `distinct names, got ${describe(layer.name)} twice`);
    layers.set(layer.name, layer);
  }
  const made: (readonly SymbolicTensor[])[] = [];
  const resolve = (where: string, refs: unknown): Nest<SymbolicTensor> => {
    const { leaves, layout } = flatten<unknown>(refs as Nest<unknown>, isRef);
    const tensors = leaves.map((r) => {
      const t = isRef(r) ? made[r[0]]?.[r[1]] : undefined;
      if (!t)
        throw wrong(where, `[call, output] of one of the ${made.length} calls before it, got ${describe(r)}`);
      return t;
    });
    return pack(tensors, layout);
  };
  list("calls", config.calls).forEach((entry, i) => {
    const { layer: name, inputs, options } = (entry ?? {}) as Partial<CallConfig>;
    const layer = layers.get(name as string);
    if (!layer) throw wrong(`call ${i}`, `the name of a layer, got ${describe(name)}`);
    if (inputs === null || layer instanceof InputLayer) {
      if (inputs !== null || !(layer instanceof InputLayer)) {
        throw wrong(
          `call ${i}`,
          `inputs for every layer but input layers, got ${describe(inputs)} for ${layer.className}`,
        );
      }
      made.push([layer.output]);
    } else {
      const result = layer.apply<Nest<SymbolicTensor>>(resolve(`call ${i}`, inputs), options);
      made.push(flatten(result, (x) => x instanceof SymbolicTensor).leaves);
    }
  });
  return { inputs: resolve("inputs", config.inputs), outputs: resolve("outputs", config.outputs) };
}

function isRef(x: unknown): x is TensorRef {
  return Array.isArray(x) && x.length === 2 && x.every((i) => Number.isInteger(i));
}

function list(where: string, x: unknown): readonly unknown[] {
  if (!Array.isArray(x)) throw wrong(where, `a list, got ${describe(x)}`);
  return x;
}

function wrong(where: string, what: string): MyelinError {
  return new MyelinError("INVALID_ARGUMENT", `model configuration, ${where}: expected ${what}`);
}
