// Batching and unbatching of elements: every leaf of like elements becomes one tensor with a first axis more, and back.

import { allocateHost, type DType, type HostArray, promote } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../core/shape.ts";
import { type NestedArray, Tensor, tensor } from "../core/tensor.ts";
import { isList, isNumeric, isPlainRecord, isTensorLeaf, isVector, step } from "./nest.ts";

/**
 * One batch from elements of one structure.
 * @param where names the operation; `first` is the number of the first element, for messages
 * @throws SHAPE_MISMATCH a leaf's shape differs from the first element's; INVALID_DATA another structure, or nothing
 */
export function stack(where: string, elements: readonly unknown[], first: number): unknown {
  return stackNode(where, elements, first, "", true);
}

function stackNode(
  where: string,
  nodes: readonly unknown[],
  first: number,
  path: string,
  top: boolean,
): unknown {
  const model = nodes[0];
  const wrong = (i: number, expected: string): MyelinError =>
    new MyelinError(
      "INVALID_DATA",
      `${where}: element ${first + i}${path}: expected ${expected}, got ${describe(nodes[i])}`,
    );
  if (typeof model === "number" || typeof model === "boolean") return stackScalars(nodes, wrong);
  if (isTensorLeaf(model) || (Array.isArray(model) && (top ? isVector(model) : isNumeric(model))))
    return stackTensors(where, nodes, first, path, wrong);
  if (Array.isArray(model) && (top || !isList(model))) {
    for (let i = 1; i < nodes.length; i++) {
      const node = nodes[i];
      if (!Array.isArray(node) || node.length !== model.length)
        throw wrong(i, `${model.length} parts like element ${first}`);
    }
    return model.map((_, k) =>
      stackNode(
        where,
        nodes.map((n) => (n as unknown[])[k]),
        first,
        step(path, k),
        false,
      ),
    );
  }
  if (isPlainRecord(model)) {
    const names = Object.keys(model);
    for (let i = 1; i < nodes.length; i++) {
      const node = nodes[i];
      if (!isPlainRecord(node) || Object.keys(node).length !== names.length)
        throw wrong(i, `parts named ${names.join(", ")} like element ${first}`);
      for (const name of names)
        if (!Object.hasOwn(node, name))
          throw wrong(i, `parts named ${names.join(", ")} like element ${first}`);
    }
    return Object.fromEntries(
      names.map((name) => [
        name,
        stackNode(
          where,
          nodes.map((n) => (n as Record<string, unknown>)[name]),
          first,
          step(path, name),
          false,
        ),
      ]),
    );
  }
  for (let i = 0; i < nodes.length; i++)
    if (nodes[i] === undefined || nodes[i] === null || typeof nodes[i] !== typeof model)
      throw wrong(
        i,
        model === undefined || model === null ? "a value" : `a ${typeof model} like element ${first}`,
      );
  return [...nodes];
}

function stackScalars(
  nodes: readonly unknown[],
  wrong: (i: number, expected: string) => MyelinError,
): Tensor {
  const dtype = typeof nodes[0] === "boolean" ? "bool" : "float32";
  const data = allocateHost(dtype, nodes.length);
  const kind = typeof nodes[0];
  for (let i = 0; i < nodes.length; i++) {
    const value = nodes[i];
    if (typeof value !== kind) throw wrong(i, `a ${kind}`);
    data[i] = Number(value);
  }
  return new Tensor(data, [nodes.length], dtype);
}

function stackTensors(
  where: string,
  nodes: readonly unknown[],
  first: number,
  path: string,
  wrong: (i: number, expected: string) => MyelinError,
): Tensor {
  const parts = nodes.map((node, i) => {
    if (!isTensorLeaf(node) && !Array.isArray(node)) throw wrong(i, "a tensor");
    return toTensor(`${where}: element ${first + i}${path}`, node as Tensor);
  });
  const { shape } = parts[0]!;
  let dtype: DType = parts[0]!.dtype;
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i]!;
    if (!sameShape(part.shape, shape))
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}: element ${first + i}${path}: expected shape ${formatShape(shape)} like element ${first}, got ${formatShape(part.shape)}`,
      );
    if (part.dtype !== dtype) dtype = promote(dtype, part.dtype);
  }
  const size = sizeOf(shape);
  const data = allocateHost(dtype, size * parts.length);
  for (let i = 0; i < parts.length; i++) {
    if (size === 1) data[i] = parts[i]!.data[0]!;
    else data.set(parts[i]!.data as Float32Array, i * size);
  }
  return new Tensor(data, [parts.length, ...shape], dtype);
}

/** A leaf as a tensor, with the place in its error. */
export function toTensor(where: string, leaf: unknown): Tensor {
  if (leaf instanceof Tensor) return leaf;
  try {
    return tensor(leaf as NestedArray);
  } catch (error) {
    if (!(error instanceof MyelinError)) throw error;
    throw new MyelinError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}

/** The rows of a batch, in order. Leaves must agree on how many there are. */
export function* unstack(where: string, batch: unknown, index: number): Generator<unknown> {
  const label = `${where}: element ${index}`;
  const leaves: [path: string, rows: number][] = [];
  const rowOf = rowReader(label, batch, "", leaves);
  const rows = leaves[0]?.[1] ?? 0;
  for (const [path, count] of leaves)
    if (count !== rows)
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${label}${path}: expected ${rows} rows like ${leaves[0]![0] || "the first part"}, got ${count}`,
      );
  for (let i = 0; i < rows; i++) yield rowOf(i);
}

/** A function that gives row i of a nest; fills in each leaf's path and number of rows. */
function rowReader(
  where: string,
  node: unknown,
  path: string,
  leaves: [path: string, rows: number][],
): (i: number) => unknown {
  if (isTensorLeaf(node)) {
    const t = toTensor(`${where}${path}`, node);
    if (t.rank === 0)
      throw new MyelinError("SHAPE_MISMATCH", `${where}${path}: expected at least one axis, got a scalar`);
    leaves.push([path, t.shape[0]!]);
    return tensorRow(t);
  }
  if (Array.isArray(node)) {
    if (isList(node)) {
      leaves.push([path, node.length]);
      return (i) => node[i];
    }
    if (path !== "" && isNumeric(node))
      return rowReader(where, toTensor(`${where}${path}`, node), path, leaves);
    const parts = node.map((part, k) => rowReader(where, part, step(path, k), leaves));
    return (i) => parts.map((part) => part(i));
  }
  if (isPlainRecord(node)) {
    const parts = Object.entries(node).map(
      ([name, part]) => [name, rowReader(where, part, step(path, name), leaves)] as const,
    );
    return (i) => Object.fromEntries(parts.map(([name, part]) => [name, part(i)]));
  }
  throw new MyelinError(
    "INVALID_DATA",
    `${where}${path}: expected tensors, lists, or arrays and records of them, got ${describe(node)}`,
  );
}

/** Row i of a tensor: a number or boolean from one axis, a tensor of its own from more. */
export function tensorRow(t: Tensor): (i: number) => Tensor | number | boolean {
  if (t.rank === 1) return t.dtype === "bool" ? (i) => t.data[i] !== 0 : (i) => t.data[i]!;
  const shape: Shape = t.shape.slice(1);
  const size = sizeOf(shape);
  return (i) => new Tensor(t.data.slice(i * size, (i + 1) * size) as HostArray, shape, t.dtype);
}
