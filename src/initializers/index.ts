// The `initializers` namespace of the public API.

export type { Initializer, InitializerLike } from "./initializer.ts";
export * from "./initializers.ts";
