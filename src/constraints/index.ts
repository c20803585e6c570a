// The public namespace `constraints`.

export {
  Constraint,
  type ConstraintFunction,
  type ConstraintLike,
  get,
  type MinMaxNormOptions,
  maxNorm,
  minMaxNorm,
  nonNeg,
  unitNorm,
} from "./constraint.ts";
