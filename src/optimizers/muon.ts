// Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024), Keras's form: matrices take steps
// along their momentum made orthogonal, everything else is left to AdamW.

import { checkBoolean, checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import { runningMean } from "./moments.ts";
import {
  type Hyper,
  OPTIMIZER_OPTIONS,
  Optimizer,
  type OptimizerConfig,
  type OptimizerOptions,
  type SlotSpec,
  type Updated,
} from "./optimizer.ts";
import type { LearningRate } from "./schedules/index.ts";

export interface MuonOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** Of matrices. Default 0.004. */
  weightDecay?: number;
  /** Decay rates, epsilon, weight decay and factor of the learning rate of the parameters AdamW is for. */
  adamBeta1?: number;
  adamBeta2?: number;
  epsilon?: number;
  adamWeightDecay?: number;
  adamLrRatio?: number;
  /** Patterns: matrices whose path matches one are left to AdamW. Default none. */
  excludeLayers?: readonly string[];
  /** Leave what has "embedding" in its path to AdamW. Default true. */
  excludeEmbeddings?: boolean;
  /** Coefficients of the polynomial that makes the momentum orthogonal. */
  muonA?: number;
  muonB?: number;
  muonC?: number;
  /** In [0, 1]. Default 0.95. */
  momentum?: number;
  /** Times the polynomial is applied. Default 5. */
  nsSteps?: number;
  /** Default true. */
  nesterov?: boolean;
  /** Steps get this root mean square, like Adam's, times the learning rate; null: left as they are. Default 0.2. */
  rmsRate?: number | null;
}

const NUMBERS = {
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  epsilon: 1e-7,
  adamWeightDecay: 0.004,
  adamLrRatio: 1,
  muonA: 3.4445,
  muonB: -4.775,
  muonC: 2.0315,
  momentum: 0.95,
};
type NumberName = keyof typeof NUMBERS;

const OTHERS = ["excludeLayers", "excludeEmbeddings", "nsSteps", "nesterov", "rmsRate"] as const;

/** See `muon`. */
export class Muon extends Optimizer {
  private readonly numbers: Readonly<Record<NumberName, number>>;
  private readonly excludeLayers: readonly string[];
  private readonly excludeEmbeddings: boolean;
  private readonly nsSteps: number;
  private readonly nesterov: boolean;
  private readonly rmsRate: number | null;

  constructor(options: MuonOptions = {}) {
    const where = "muon";
    const names = Object.keys(NUMBERS) as NumberName[];
    const o = checkOptions(where, options, [...OPTIMIZER_OPTIONS, ...names, ...OTHERS]);
    super(where, { ...o, learningRate: o.learningRate ?? 0.001, weightDecay: o.weightDecay ?? 0.004 });
    const read = (name: NumberName): number => {
      const value = o[name] ?? NUMBERS[name];
      if (name.startsWith("muon")) return checkNumber(where, name, value);
      if (name.includes("Beta")) return checkNumber(where, name, value, "in [0, 1)", (x) => x >= 0 && x < 1);
      if (name === "momentum") return checkNumber(where, name, value, "in [0, 1]", (x) => x >= 0 && x <= 1);
      return checkNumber(where, name, value, "of at least 0", (x) => x >= 0);
    };
    this.numbers = Object.fromEntries(names.map((n) => [n, read(n)])) as Record<NumberName, number>;
    this.excludeLayers = o.excludeLayers ?? [];
    this.excludeEmbeddings = checkBoolean(where, "excludeEmbeddings", o.excludeEmbeddings ?? true);
    this.nsSteps = checkInteger(where, "nsSteps", o.nsSteps ?? 5, 0, 100);
    this.nesterov = checkBoolean(where, "nesterov", o.nesterov ?? true);
    const rate = o.rmsRate === undefined ? 0.2 : o.rmsRate;
    this.rmsRate = rate === null ? null : checkNumber(where, "rmsRate", rate, "above 0", (x) => x > 0);
  }

  private isForAdam({ name, shape }: Variable): boolean {
    if (shape.length !== 2 || (this.excludeEmbeddings && name.toLowerCase().includes("embedding")))
      return true;
    return this.excludeLayers.some((pattern) => new RegExp(pattern).test(name));
  }

  protected override slotSpecs(parameter: Variable): readonly SlotSpec[] {
    const momentum = { name: "momentum" };
    return this.isForAdam(parameter) ? [momentum, { name: "velocity" }] : [momentum];
  }

  protected override decayOf(parameter: Variable): number {
    const decay = super.decayOf(parameter);
    return decay !== 0 && this.isForAdam(parameter) ? this.numbers.adamWeightDecay : decay;
  }

  override update(
    parameter: Value,
    gradient: Value,
    slots: readonly Value[],
    hyper: Hyper,
    variable: Variable,
  ): Updated {
    if (this.isForAdam(variable)) return this.adamUpdate(parameter, gradient, slots, hyper);
    const { momentum } = this.numbers;
    const m = ops.add(ops.multiply(slots[0]!, momentum), gradient);
    const step = this.orthogonal(this.nesterov ? ops.add(gradient, ops.multiply(m, momentum)) : m);
    const size = this.rmsRate === null ? 1 : Math.sqrt(Math.max(...variable.shape)) * this.rmsRate;
    const moved = ops.subtract(parameter, ops.multiply(step, ops.multiply(hyper.learningRate, size)));
    return { parameter: moved, slots: [m] };
  }

  private adamUpdate(parameter: Value, gradient: Value, slots: readonly Value[], hyper: Hyper): Updated {
    const { adamBeta1, adamBeta2, epsilon, adamLrRatio } = this.numbers;
    const m = runningMean(slots[0]!, gradient, adamBeta1);
    const v = runningMean(slots[1]!, ops.square(gradient), adamBeta2);
    const left = (beta: number) => ops.subtract(1, ops.power(beta, hyper.step));
    const rate = ops.multiply(hyper.learningRate, adamLrRatio);
    const alpha = ops.multiply(rate, ops.divide(ops.sqrt(left(adamBeta2)), left(adamBeta1)));
    const step = ops.divide(ops.multiply(m, alpha), ops.add(ops.sqrt(v), epsilon));
    return { parameter: ops.subtract(parameter, step), slots: [m, v] };
  }

  /** The nearest matrix with orthogonal rows or columns, roughly: Newton and Schulz's iteration on x / norm(x). */
  private orthogonal(matrix: Value): Value {
    const { muonA, muonB, muonC } = this.numbers;
    const isTall = matrix.shape[0]! > matrix.shape[1]!;
    let x = isTall ? ops.transpose(matrix) : matrix;
    x = ops.divide(x, ops.add(ops.sqrt(ops.sum(ops.square(x))), 1e-7));
    for (let i = 0; i < this.nsSteps; i++) {
      const a = ops.matmul(x, x, { transposeB: true });
      const b = ops.add(ops.multiply(a, muonB), ops.multiply(ops.matmul(a, a), muonC));
      x = ops.add(ops.multiply(x, muonA), ops.matmul(b, x));
    }
    return isTall ? ops.transpose(x) : x;
  }

  override getConfig(): OptimizerConfig {
    const { excludeLayers, excludeEmbeddings, nsSteps, nesterov, rmsRate } = this;
    const own = { ...this.numbers, excludeLayers, excludeEmbeddings, nsSteps, nesterov, rmsRate };
    return { name: "muon", options: { ...this.baseConfig(), ...own } };
  }
}

/** Muon: orthogonal steps for matrices between hidden layers, AdamW for the rest. */
export function muon(options: MuonOptions = {}): Muon {
  return new Muon(options);
}
