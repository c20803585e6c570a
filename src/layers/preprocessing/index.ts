// Layers that make numbers of what data comes as: tables, texts, sound.

export * from "./category-encoding.ts";
export * from "./discretization.ts";
export * from "./feature-space.ts";
export {
  type Hashable,
  HashedCrossing,
  type HashedCrossingOptions,
  Hashing,
  type HashingOptions,
  hashedCrossing,
  hashing,
} from "./hashing.ts";
export {
  IntegerLookup,
  type IntegerLookupOptions,
  integerLookup,
  StringLookup,
  type StringLookupOptions,
  stringLookup,
} from "./lookup.ts";
export * from "./normalization.ts";
export * from "./spectrogram.ts";
export * from "./text-vectorization.ts";
