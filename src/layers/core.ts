// Layers that hold a place or pass values on: InputLayer, Identity, Lambda, Rescaling.

import { DTYPES, type DType } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import { type Tensor, tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { add, cast, identity as identityOp, multiply } from "../ops/index.ts";
import { type CallContext, LAYER_OPTIONS, Layer, type LayerOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import { type BatchShape, checkBatchShape, type LayerCall, SymbolicTensor } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

export interface InputLayerOptions {
  /** Shape of one sample; [] for one number a sample. */
  shape?: BatchShape;
  /** The same with the batch axis in front. */
  batchShape?: BatchShape;
  /** Fixes the batch axis; default: any. */
  batchSize?: number;
  /** Default float32. */
  dtype?: DType;
  /** Default "inputLayer" with a number. */
  name?: string;
}

/** Where data enters a model. Its one output is the symbolic tensor that `input()` returns. */
export class InputLayer extends UnaryLayer {
  static readonly className = "InputLayer";
  readonly batchShape: BatchShape;
  readonly inputDtype: DType;
  readonly #call: LayerCall;

  constructor(options: InputLayerOptions) {
    const where = labelOf("input", options);
    const given = checkOptions(where, options, ["shape", "batchShape", "batchSize", "dtype", "name"]);
    super({ name: given.name });
    const { shape, batchShape, batchSize, dtype = "float32" } = given;
    this.inputDtype = checkOneOf(where, "dtype", dtype, DTYPES);
    if ((shape === undefined) === (batchShape === undefined)) {
      const came = shape === undefined ? "neither" : "both";
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected shape (of one sample) or batchShape, got ${came}`,
      );
    }
    if (batchSize !== undefined) {
      checkInteger(where, "batchSize", batchSize, 1);
      if (batchShape)
        throw new MyelinError(
          "INVALID_OPTION",
          `${where}: expected batchSize with shape, not with batchShape`,
        );
    }
    this.batchShape = batchShape
      ? checkBatchShape(`${where}, batchShape`, batchShape)
      : [batchSize ?? null, ...checkBatchShape(`${where}, shape`, shape)];
    if (this.batchShape.length === 0) {
      throw new MyelinError("INVALID_OPTION", `${where}: expected a batchShape with a batch axis, got []`);
    }
    this.built = true;
    const outputs: SymbolicTensor[] = [];
    this.#call = { layer: this, inputs: [], inputLayout: 0, outputs, outputLayout: null };
    outputs.push(new SymbolicTensor({ shape: this.batchShape, dtype: this.inputDtype }, this.#call, 0));
  }

  override get dtype(): DType {
    return this.inputDtype;
  }

  override get calls(): readonly LayerCall[] {
    return [this.#call];
  }

  override get input(): SymbolicTensor {
    return this.output;
  }

  override get output(): SymbolicTensor {
    return this.#call.outputs[0]!;
  }

  override call(x: Value): Value {
    return x;
  }

  override getConfig(): Record<string, unknown> {
    return { batchShape: this.batchShape, dtype: this.inputDtype, name: this.name };
  }
}

/** The first entry of a sequential model when the input needs more said than a shape (a dtype, a batch size). */
export function inputLayer(options: InputLayerOptions): InputLayer {
  return new InputLayer(options);
}

export class Identity extends UnaryLayer {
  static readonly className = "Identity";
  override supportsMasking = true;
  constructor(options: LayerOptions = {}) {
    super(checkOptions(labelOf("identity", options), options, LAYER_OPTIONS));
  }
  override call(x: Value): Value {
    return identityOp(x);
  }
}

/** Returns its input. */
export function identity(options?: LayerOptions): Identity {
  return new Identity(options);
}

/** What a lambda layer computes; x is one Value or, for several inputs, a list or record of them. */
// biome-ignore lint/suspicious/noExplicitAny: the user's function knows what it is given.
export type LambdaFunction = (x: any, context: CallContext, mask: Mask) => Nest<Value>;

export class Lambda extends Layer {
  static readonly className = "Lambda";
  readonly #fn: LambdaFunction;
  constructor(fn: LambdaFunction, options: LayerOptions = {}) {
    const where = labelOf("lambda", options);
    if (typeof fn !== "function") {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${where}: expected a function written with ops, got ${describe(fn)}`,
      );
    }
    super(checkOptions(where, options, LAYER_OPTIONS));
    this.#fn = fn;
  }
  override call(x: Nest<Value>, context: CallContext, mask: Mask): Nest<Value> {
    return this.#fn(x, context, mask);
  }
  /** Another layer of the same function. */
  copy(): Lambda {
    return new Lambda(this.#fn, { name: this.name, trainable: this.trainable });
  }
  override getConfig(): Record<string, unknown> {
    throw this.error(
      "INVALID_ARGUMENT",
      "a lambda layer cannot be saved, since files hold no code; write a Layer subclass and registerLayer it",
    );
  }
}

/**
 * A layer from a function of ops, without weights. Cannot be saved.
 * @example layers.lambda((x) => ops.square(x))
 */
export function lambda(fn: LambdaFunction, options?: LayerOptions): Lambda {
  return new Lambda(fn, options);
}

export interface RescalingOptions extends LayerOptions {
  /** Factor: one number, or one for each element of the last axis. */
  scale: number | readonly number[];
  /** Added after scaling. Default 0. */
  offset?: number | readonly number[];
}

export class Rescaling extends UnaryLayer {
  static readonly className = "Rescaling";
  override supportsMasking = true;
  readonly scale: number | readonly number[];
  readonly offset: number | readonly number[];

  constructor(options: RescalingOptions) {
    const where = labelOf("rescaling", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "scale", "offset"]);
    super(given);
    this.scale = checkNumbers(where, "scale", given.scale);
    this.offset = checkNumbers(where, "offset", given.offset ?? 0);
  }

  override call(x: Value): Value {
    const operand = (v: number | readonly number[]): number | Tensor =>
      typeof v === "number" ? v : tensor([...v]);
    return add(multiply(cast(x, "float32"), operand(this.scale)), operand(this.offset));
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), scale: this.scale, offset: this.offset };
  }
}

function checkNumbers(where: string, name: string, value: unknown): number | readonly number[] {
  if (!Array.isArray(value)) return checkNumber(where, name, value);
  for (const [i, v] of value.entries()) checkNumber(where, `${name}[${i}]`, v);
  return value;
}

/** x * scale + offset as float32, e.g. bytes to [0, 1]: `layers.rescaling({ scale: 1 / 255 })`. */
export function rescaling(options: RescalingOptions): Rescaling {
  return new Rescaling(options);
}
