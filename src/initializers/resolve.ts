// From what a user writes (a name, an object, a function) or a file holds to an Initializer, and back.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import { formatShape, sameShape } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import type { Initializer, InitializerLike, SerializedObject } from "./initializer.ts";
import * as known from "./initializers.ts";

// biome-ignore lint/suspicious/noExplicitAny: each factory checks its own options.
const FACTORIES = new Map<string, (options?: any) => Initializer>([
  ...Object.entries(known),
  ["uniform", known.randomUniform],
  ["normal", known.randomNormal],
]);

/** Stands in a loaded model for a function that no file can hold. Never drawn when the weights come from the file. */
const FUNCTION = "Function";

/** @throws INVALID_OPTION for unknown names, naming the nearest */
export function resolveInitializer(where: string, option: string, like: InitializerLike): Initializer {
  if (typeof like === "string") {
    const factory = FACTORIES.get(like);
    if (!factory) throw unknownName(where, option, like, [...FACTORIES.keys()]);
    return factory();
  }
  if (typeof like === "function") return fromFunction(where, like);
  if (isInitializer(like)) return like;
  if (isSerialized(like)) return deserializeInitializer(where, like);
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected ${option} to be a name, an initializer or a function, got ${describe(like)}`,
  );
}

export function serializeInitializer(initializer: Initializer): SerializedObject {
  return { className: initializer.className, config: initializer.getConfig() };
}

function deserializeInitializer(where: string, { className, config }: SerializedObject): Initializer {
  if (className === FUNCTION) {
    return fromFunction(where, () => {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${where}: this weight was initialized by a function, which a saved configuration does not hold; give its value with setWeights`,
      );
    });
  }
  const name = className.charAt(0).toLowerCase() + className.slice(1);
  const factory = FACTORIES.get(name);
  if (!factory || name === className) throw unknownName(where, "initializer", className, classNames());
  return factory(config);
}

function classNames(): string[] {
  return [...FACTORIES.keys()].map((n) => n[0]!.toUpperCase() + n.slice(1));
}

function fromFunction(where: string, fn: (shape: readonly number[]) => Tensor): Initializer {
  return {
    className: FUNCTION,
    getConfig: () => ({}),
    make(shape, dtype) {
      const value = fn(shape);
      if (!(value instanceof Tensor) || value.dtype !== dtype || !sameShape(value.shape, shape)) {
        const came = value instanceof Tensor ? `${value.dtype}${formatShape(value.shape)}` : describe(value);
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `${where}: expected the initializer function to return a ${dtype} Tensor of shape ${formatShape(shape)}, got ${came}`,
        );
      }
      return value.data.slice();
    },
  };
}

function isInitializer(x: unknown): x is Initializer {
  return typeof x === "object" && x !== null && typeof (x as Initializer).make === "function";
}

function isSerialized(x: unknown): x is SerializedObject {
  if (typeof x !== "object" || x === null) return false;
  const { className, config } = x as SerializedObject;
  return typeof className === "string" && typeof config === "object" && config !== null;
}
