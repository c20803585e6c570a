// The public namespace `regularizers`.

export {
  get,
  l1,
  l1l2,
  l2,
  type OrthogonalOptions,
  orthogonalRegularizer,
  Regularizer,
  type RegularizerFunction,
  type RegularizerLike,
} from "./regularizer.ts";
