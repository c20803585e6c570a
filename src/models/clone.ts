// cloneModel: the same layers and connections with weights of their own, or with layers changed on the way.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import { InputLayer, Lambda } from "../layers/core.ts";
import { Layer } from "../layers/layer.ts";
import { flatten, type Nest, pack } from "../layers/nest.ts";
import type { LayerClass } from "../layers/registry.ts";
import { type LayerCall, SymbolicTensor } from "../layers/symbolic.ts";
import { layerReader } from "./config.ts";
import { Model } from "./model.ts";
import { Sequential } from "./sequential.ts";

export interface CloneOptions {
  /** What the clone begins with, in the layout of the model's inputs. Default: new inputs like the model's. */
  inputTensors?: Nest<SymbolicTensor>;
  /** Makes the layer that stands for one of the model's; input layers are not asked for. Default: one of the same configuration. */
  cloneFunction?: (layer: Layer) => Layer;
  /**
   * Uses a layer of the clone on its inputs, given what `apply` was given beside them. Default: applies it. For functional
   * models.
   */
  callFunction?: (
    layer: Layer,
    inputs: Nest<SymbolicTensor>,
    options: Readonly<Record<string, unknown>> | undefined,
  ) => Nest<SymbolicTensor>;
  /** Whether cloneFunction and callFunction go on into the models inside, instead of being given these. Default false. */
  recursive?: boolean;
}

const OPTIONS = ["inputTensors", "cloneFunction", "callFunction", "recursive"] as const;

/**
 * A model like this one, with fresh weights, not compiled.
 * @throws INVALID_OPTION, INVALID_ARGUMENT
 * @example const twin = cloneModel(model);
 * twin.setWeights(model.getWeights());
 * @example const wider = cloneModel(model, {
 *   cloneFunction: (l) => (l instanceof layers.Dense ? layers.dense({ ...l.getConfig(), units: 2 * l.units }) : copyLayer(l)),
 * });
 */
export function cloneModel(model: Sequential, options?: CloneOptions): Sequential;
export function cloneModel(model: Model, options?: CloneOptions): Model;
export function cloneModel(model: Model, options?: CloneOptions): Model {
  const where = "cloneModel";
  if (!(model instanceof Model)) {
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a model, got ${describe(model)}`);
  }
  const o = checkOptions(where, options, OPTIONS);
  checkBoolean(where, "recursive", o.recursive ?? false);
  for (const name of ["cloneFunction", "callFunction"] as const) {
    if (o[name] === undefined || typeof o[name] === "function") continue;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be a function, got ${describe(o[name])}`,
    );
  }
  if (model instanceof Sequential) return cloneSequential(where, model, o);
  const isPlain = o.inputTensors === undefined && !o.cloneFunction && !o.callFunction;
  // Models of a class of their own (Gpt) stay what they are.
  if (isPlain && model.constructor !== Model) return copyLayer(model) as Model;
  return cloneConnections(where, model, o);
}

/**
 * A layer of the same class and configuration, with weights of its own: what cloneModel makes unless told otherwise.
 * @throws INVALID_ARGUMENT for layers whose configuration cannot be had
 */
export function copyLayer(layer: Layer): Layer {
  if (layer.constructor === Model || layer instanceof Sequential) return cloneModel(layer as Model);
  if (layer instanceof Lambda) return layer.copy();
  const read = layerReader("copyLayer", classesBelow(layer));
  const { seed, ...config } = layer.getConfig();
  // A model's seed rules its weights, which are to be fresh; a layer's own seed is an option like others.
  return (layer.constructor as unknown as LayerClass).fromConfig(
    layer instanceof Model || seed === undefined ? config : { ...config, seed },
    read,
  );
}

/** Classes of the layers inside, which need not be registered. */
function classesBelow(layer: Layer, found = new Set<LayerClass>()): LayerClass[] {
  for (const child of layer.children()) {
    found.add(child.constructor as unknown as LayerClass);
    classesBelow(child, found);
  }
  return [...found];
}

function cloner(where: string, o: CloneOptions): (layer: Layer) => Layer {
  const made = new Map<Layer, Layer>();
  return (layer) => {
    const known = made.get(layer);
    if (known) return known;
    const goesOn = o.recursive && layer instanceof Model;
    const inner = { cloneFunction: o.cloneFunction, callFunction: o.callFunction, recursive: true };
    const clone = goesOn
      ? cloneModel(layer, layer instanceof Sequential ? { ...inner, callFunction: undefined } : inner)
      : (o.cloneFunction ?? copyLayer)(layer);
    if (!(clone instanceof Layer)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${where}: expected cloneFunction to return a layer for ${layer.name}, got ${describe(clone)}`,
      );
    }
    made.set(layer, clone);
    return clone;
  };
}

function cloneSequential(where: string, model: Sequential, o: CloneOptions): Sequential {
  if (o.callFunction) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected callFunction for functional models only; ${model.name} is sequential`,
    );
  }
  const clones = model.layers.map(cloner(where, o));
  const given = o.inputTensors === undefined ? undefined : tensorsOf(where, model, o.inputTensors)[0]!;
  const first = given ?? (model.built ? (model.inputs as SymbolicTensor) : undefined);
  const opening = first ? [openingFor(first)] : [];
  return new Sequential([...opening, ...clones], { name: model.name, trainable: model.trainable });
}

function openingFor(t: SymbolicTensor): InputLayer {
  const { layer } = t.call;
  return new InputLayer({
    batchShape: t.shape,
    dtype: t.dtype,
    ...(layer instanceof InputLayer ? { name: layer.name } : {}),
  });
}

function cloneConnections(where: string, model: Model, o: CloneOptions): Model {
  const { leaves: inputs, layout } = flatten(model.inputs, (t) => t instanceof SymbolicTensor);
  const given =
    o.inputTensors === undefined
      ? inputs.map((t) => openingFor(t).output)
      : tensorsOf(where, model, o.inputTensors);
  const known = new Map<SymbolicTensor, SymbolicTensor>(inputs.map((t, i) => [t, given[i]!]));
  const cloneOf = cloner(where, o);
  const at = (t: SymbolicTensor) => known.get(model.resolve(t))!;
  for (const call of model.layerCalls) {
    if (call.inputs.length === 0) continue;
    const results = applied(where, o, cloneOf(call.layer), call, pack(call.inputs.map(at), call.inputLayout));
    call.outputs.forEach((t, i) => {
      known.set(t, results[i]!);
    });
  }
  const { leaves: outputs, layout: outputLayout } = flatten(
    model.outputs,
    (t) => t instanceof SymbolicTensor,
  );
  return new Model({
    inputs: pack(given, layout),
    outputs: pack(outputs.map(at), outputLayout),
    name: model.name,
    trainable: model.trainable,
  });
}

function applied(
  where: string,
  o: CloneOptions,
  layer: Layer,
  call: LayerCall,
  inputs: Nest<SymbolicTensor>,
): SymbolicTensor[] {
  const result = o.callFunction
    ? o.callFunction(layer, inputs, call.options)
    : layer.apply<Nest<SymbolicTensor>>(inputs, call.options);
  const { leaves } = flatten<SymbolicTensor>(result, (t) => t instanceof SymbolicTensor);
  if (leaves.length === call.outputs.length && leaves.every((t) => t instanceof SymbolicTensor))
    return leaves;
  throw new MyelinError(
    "INVALID_ARGUMENT",
    `${where}: expected ${call.outputs.length} symbolic tensor${call.outputs.length > 1 ? "s" : ""} of ${layer.name}, got ${describe(result)}`,
  );
}

function tensorsOf(where: string, model: Model, given: Nest<SymbolicTensor>): SymbolicTensor[] {
  const { leaves, layout } = flatten<SymbolicTensor>(given, (t) => t instanceof SymbolicTensor);
  const wanted = model.built ? model.inputSpecs.length : 1;
  const names = model.built ? model.inputLayout : null;
  const inOrder =
    Array.isArray(names) && Array.isArray(layout) ? names.map((n) => leaves[layout.indexOf(n)]) : leaves;
  if (inOrder.length === wanted && inOrder.every((t) => t instanceof SymbolicTensor))
    return inOrder as SymbolicTensor[];
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected inputTensors to be ${wanted} symbolic tensor${wanted > 1 ? "s" : ""} (from input()), got ${describe(given)}`,
  );
}
