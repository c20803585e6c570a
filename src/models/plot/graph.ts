// What a model's picture shows: a node for each use of a layer, with its lines of text, and the arrows between them. Models
// inside are graphs of their own where they are to be opened.

import type { ActivationLike } from "../../layers/activation-option.ts";
import type { Layer } from "../../layers/layer.ts";
import { formatBatchShape, type LayerCall } from "../../layers/symbolic.ts";
import { Model } from "../model.ts";
import type { Edge } from "./layout.ts";

export interface NodeText {
  readonly title: string;
  /** Smaller lines below. */
  readonly lines: readonly string[];
  /** What kind of layer it is, for its colour. */
  readonly family: Family;
}

export interface PlotNode extends NodeText {
  /** The graph inside of an opened model. */
  readonly inner?: PlotGraph;
}

export interface PlotGraph {
  readonly nodes: readonly PlotNode[];
  readonly edges: readonly Edge[];
}

export interface ShownParts {
  readonly showShapes: boolean;
  readonly showDtype: boolean;
  readonly showLayerNames: boolean;
  readonly showLayerActivations: boolean;
  readonly showTrainable: boolean;
  readonly expandNested: boolean;
}

export type Family =
  | "input"
  | "dense"
  | "convolution"
  | "pooling"
  | "recurrent"
  | "attention"
  | "normalization"
  | "activation"
  | "regularization"
  | "merging"
  | "reshaping"
  | "embedding"
  | "model"
  | "other";

const FAMILIES: readonly [RegExp, Family][] = [
  [/^InputLayer$/, "input"],
  [/Embedding/, "embedding"],
  [/Lstm|Gru|Rnn|Bidirectional/, "recurrent"],
  [/Attention/, "attention"],
  [/Normalization|Rescaling/, "normalization"],
  [/Dropout|Noise|ActivityRegularization/, "regularization"],
  [/Pooling|UpSampling|Resizing/, "pooling"],
  [/Conv/, "convolution"],
  [/Dense/, "dense"],
  [/^(Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|Dot)$/, "merging"],
  [/^(Activation|ReLU|Relu|LeakyRelu|LeakyReLU|PRelu|PReLU|Elu|ELU|Softmax)$/i, "activation"],
  [/Flatten|Reshape|Permute|RepeatVector|Padding|Cropping/, "reshaping"],
];

export function familyOf(layer: Layer): Family {
  if (layer instanceof Model) return "model";
  return FAMILIES.find(([pattern]) => pattern.test(layer.className))?.[1] ?? "other";
}

/** @param calls the uses of the model's layers to show, in order of execution */
export function describeCalls(model: Model, calls: readonly LayerCall[], shown: ShownParts): PlotGraph {
  const place = new Map(calls.map((call, i) => [call, i]));
  const uses = new Map<Layer, number>();
  for (const { layer } of calls) uses.set(layer, (uses.get(layer) ?? 0) + 1);
  const nodes = calls.map((call) => describeCall(call, shown, uses.get(call.layer)! > 1));
  const edges = calls.flatMap((call, to) => {
    const from = call.inputs.map((t) => place.get(model.resolve(t).call));
    return [...new Set(from)].flatMap((i) => (i === undefined ? [] : [{ from: i, to }]));
  });
  return { nodes, edges };
}

function describeCall(call: LayerCall, shown: ShownParts, isShared: boolean): PlotNode {
  const { layer } = call;
  const lines: string[] = [];
  if (shown.showLayerNames) lines.push(isShared ? `${layer.name} (shared)` : layer.name);
  if (shown.showLayerActivations) {
    const activation = activationOf(layer);
    if (activation) lines.push(activation);
  }
  const specs = (list: LayerCall["inputs"]) =>
    list.map((t) =>
      [...(shown.showDtype ? [t.dtype] : []), ...(shown.showShapes ? [formatBatchShape(t.shape)] : [])].join(
        " ",
      ),
    );
  if (shown.showShapes || shown.showDtype) {
    const [before, after] = [specs(call.inputs), specs(call.outputs)];
    if (before.length > 0) lines.push(`in ${[...new Set(before)].join(", ")}`);
    lines.push(`${before.length > 0 ? "out " : ""}${after.join(", ")}`);
  }
  if (shown.showTrainable && layer.weights.length > 0) {
    lines.push(layer.trainableWeights.length > 0 ? "trainable" : "frozen");
  }
  const isOpened = shown.expandNested && layer instanceof Model && layer.built;
  return {
    title: titleOf(layer),
    lines,
    family: familyOf(layer),
    ...(isOpened ? { inner: describeCalls(layer, layer.layerCalls, shown) } : {}),
  };
}

/** A wrapper names what it wraps. */
function titleOf(layer: Layer): string {
  const inside =
    (layer as { layer?: unknown; forwardLayer?: unknown }).forwardLayer ??
    (layer as { layer?: unknown }).layer;
  const name = (inside as Layer | undefined)?.className;
  return typeof name === "string" ? `${layer.className}(${name})` : layer.className;
}

/** The activation of a layer that has one, by name. */
export function activationOf(layer: Layer): string | undefined {
  const { activation } = layer as { activation?: ActivationLike };
  if (typeof activation === "string") return activation === "linear" ? undefined : activation;
  return typeof activation === "function" ? activation.name || "function" : undefined;
}
