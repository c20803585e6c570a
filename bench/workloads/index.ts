// The workloads of `npm run bench -- steps`, in the order of their table.

import { autoencoder, mlp, xor } from "./dense.ts";
import { recsys } from "./recommendation.ts";
import { gpt, lstm, textgru } from "./sequence.ts";
import { cnn, resnet20 } from "./vision.ts";
import type { Workload } from "./workload.ts";

export type { Workload } from "./workload.ts";

export const WORKLOADS: readonly Workload[] = [
  mlp,
  cnn,
  resnet20,
  lstm,
  gpt,
  recsys,
  textgru,
  autoencoder,
  xor,
];

export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((w) => w.name === name);
  if (found) return found;
  throw new Error(`expected one of ${WORKLOADS.map((w) => w.name).join(", ")}, got ${name}`);
}
