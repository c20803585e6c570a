// Options that say what a layer's weights and outputs should be like: regularizers, which add a penalty to the loss, and
// constraints, which bring weights back after every step. One place for the options of all layers.

import { type Constraint, type ConstraintLike, get as getConstraint } from "../constraints/constraint.ts";
import { type Serialized, serialize } from "../core/serialized.ts";
import { get as getRegularizer, Regularizer, type RegularizerLike } from "../regularizers/regularizer.ts";

/** `kernelRegularizer`, `kernelConstraint` and the like, for weights of these names. Default: none. */
export type WeightRules<N extends string> = {
  [K in `${N}Regularizer`]?: RegularizerLike | null;
} & {
  [K in `${N}Constraint`]?: ConstraintLike | null;
};

/** A penalty for the outputs of a layer, divided by the number of rows. Default: none. */
export interface ActivityRule {
  activityRegularizer?: RegularizerLike | null;
}

type RuleName<N extends string> = `${N}Regularizer` | `${N}Constraint`;

/** The names of these options, for `checkOptions`. */
export function weightRules<const N extends string>(...names: readonly N[]): RuleName<N>[] {
  return names.flatMap((n): RuleName<N>[] => [`${n}Regularizer`, `${n}Constraint`]);
}

/** What options call a weight of this name. */
const PREFIX: Readonly<Record<string, string>> = {
  recurrentKernel: "recurrent",
  depthwise_kernel: "depthwise",
  pointwise_kernel: "pointwise",
};

/** The rules a layer was given, by option name. */
export class RuleSet {
  private readonly rules = new Map<string, Regularizer | Constraint>();

  constructor(where: string, options: object) {
    for (const [name, like] of Object.entries(options)) {
      if (like == null) continue;
      if (name.endsWith("Regularizer"))
        this.rules.set(name, getRegularizer(like as RegularizerLike, where, name));
      else if (name.endsWith("Constraint"))
        this.rules.set(name, getConstraint(like as ConstraintLike, where, name));
    }
  }

  get activityRegularizer(): Regularizer | undefined {
    return this.rules.get("activityRegularizer") as Regularizer | undefined;
  }

  regularizerOf(weight: string): Regularizer | undefined {
    return this.rules.get(`${PREFIX[weight] ?? weight}Regularizer`) as Regularizer | undefined;
  }

  constraintOf(weight: string): Constraint | undefined {
    return this.rules.get(`${PREFIX[weight] ?? weight}Constraint`) as Constraint | undefined;
  }

  /** The rules themselves, by option name: for a layer that hands them on to layers inside. */
  get options(): Record<string, Regularizer | Constraint> {
    return Object.fromEntries(this.rules);
  }

  /** As configurations hold them. */
  getConfig(where: string): Record<string, Serialized> {
    const config: Record<string, Serialized> = {};
    for (const [name, rule] of this.rules) {
      config[name] = serialize(where, rule instanceof Regularizer ? "regularizer" : "constraint", rule);
    }
    return config;
  }
}
