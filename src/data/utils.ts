// The public namespace `utils`: helpers for data on the host.

export { normalize, toCategorical } from "./encode.ts";
export { type PadOptions, padSequences, type TimeseriesOptions, timeseriesFromArray } from "./sequences.ts";
export {
  type Fold,
  type FoldOptions,
  kFold,
  type Picked,
  type RowArray,
  type SplitOptions,
  shuffle,
  splitDataset,
  stratifiedKFold,
  takeRows,
  trainTestSplit,
} from "./split.ts";
