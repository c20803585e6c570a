// From outputs back to inputs: which layer calls a functional model consists of, in which order, and how to run them.

import { MyelinError } from "../core/errors.ts";
import { Value } from "../graph/graph.ts";
import { InputLayer } from "../layers/core.ts";
import type { CallContext, Layer } from "../layers/layer.ts";
import { flatten, pack } from "../layers/nest.ts";
import type { LayerCall, SymbolicTensor } from "../layers/symbolic.ts";

/** The calls between some inputs and outputs. */
export class Topology {
  /** In execution order; the calls of input layers among them. */
  readonly calls: readonly LayerCall[];
  /** Each layer once, in Keras's order: by distance from the outputs, far ones first, ties as first met from the outputs. */
  readonly layers: readonly Layer[];
  /** The tensors the model starts from; where one is the output of an ordinary layer, an input layer stands in for it. */
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  /** The tensor a call's input really is: stand-ins are looked up here. */
  private readonly standIns = new Map<SymbolicTensor, SymbolicTensor>();

  constructor(where: string, inputs: readonly SymbolicTensor[], outputs: readonly SymbolicTensor[]) {
    if (new Set(inputs).size !== inputs.length) {
      throw new MyelinError("INVALID_ARGUMENT", `${where}: expected distinct inputs, got one twice`);
    }
    for (const t of inputs) {
      if (t.call.layer instanceof InputLayer) continue;
      this.standIns.set(t, new InputLayer({ batchShape: t.shape, dtype: t.dtype }).output);
    }
    this.inputs = inputs.map((t) => this.resolve(t));
    this.outputs = outputs.map((t) => this.resolve(t));
    const { finished, met } = this.walk(where);
    this.calls = finished;
    this.layers = this.order(finished, met);
  }

  /** The tensor itself, or what stands in for it in this model. */
  resolve(t: SymbolicTensor): SymbolicTensor {
    return this.standIns.get(t) ?? t;
  }

  /** Traces every call; `values` are for `inputs`, the result is for `outputs`. */
  run(values: readonly Value[], context: CallContext): Value[] {
    const known = new Map<SymbolicTensor, Value>(this.inputs.map((t, i) => [t, values[i]!]));
    for (const call of this.calls) {
      if (call.inputs.length === 0) continue;
      const given = call.inputs.map((t) => known.get(this.resolve(t))!);
      const options = { training: context.training, ...call.options };
      const result = call.layer.apply(pack(given, call.inputLayout), options);
      const { leaves } = flatten<Value>(result, (v) => v instanceof Value);
      call.outputs.forEach((t, i) => {
        known.set(t, leaves[i]!);
      });
    }
    return this.outputs.map((t) => known.get(t)!);
  }

  /** Depth first from the outputs, without recursion: models may be thousands of layers deep. */
  private walk(where: string): { finished: LayerCall[]; met: Map<Layer, number> } {
    const finished: LayerCall[] = [];
    const state = new Map<LayerCall, "open" | "done">();
    const met = new Map<Layer, number>();
    const given = new Set(this.inputs.map((t) => t.call));
    for (const output of this.outputs) {
      const stack: { call: LayerCall; next: number }[] = [];
      const enter = (call: LayerCall) => {
        if (state.get(call) === "done") return;
        if (state.get(call) === "open") {
          throw new MyelinError(
            "INVALID_ARGUMENT",
            `${where}: the layers form a cycle at ${call.layer.name}`,
          );
        }
        if (call.inputs.length === 0 && !given.has(call)) {
          const names = this.inputs.map((t) => t.name).join(", ");
          throw new MyelinError(
            "INVALID_ARGUMENT",
            `${where}: output ${output.name} depends on input ${call.layer.name}, which is not among the inputs (${names})`,
          );
        }
        state.set(call, "open");
        if (!met.has(call.layer)) met.set(call.layer, met.size);
        stack.push({ call, next: 0 });
      };
      enter(output.call);
      for (let top = stack.at(-1); top; top = stack.at(-1)) {
        const input = top.call.inputs[top.next++];
        if (input) {
          enter(this.resolve(input).call);
        } else {
          state.set(top.call, "done");
          finished.push(top.call);
          stack.pop();
        }
      }
    }
    for (const t of this.inputs) {
      if (state.has(t.call)) continue;
      // An input nothing depends on is still fed.
      state.set(t.call, "done");
      finished.push(t.call);
      met.set(t.call.layer, -1);
    }
    return { finished, met };
  }

  private order(finished: readonly LayerCall[], met: Map<Layer, number>): Layer[] {
    const callDepth = new Map<LayerCall, number>();
    const layerDepth = new Map<Layer, number>();
    for (const call of [...finished].reverse()) {
      const depth = Math.max(callDepth.get(call) ?? 0, layerDepth.get(call.layer) ?? 0);
      layerDepth.set(call.layer, depth);
      for (const t of call.inputs) {
        const maker = this.resolve(t).call;
        callDepth.set(maker, Math.max(callDepth.get(maker) ?? 0, depth + 1));
      }
    }
    return [...layerDepth.keys()].sort(
      (a, b) => layerDepth.get(b)! - layerDepth.get(a)! || met.get(a)! - met.get(b)!,
    );
  }
}
