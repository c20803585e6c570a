// One of several changes for each image of a batch, by chance.

import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";
import * as color from "./color.ts";
import { equalization } from "./equalization.ts";
import { randomRotation, randomShear, randomTranslation } from "./geometry.ts";
import { randomSharpness } from "./local.ts";
import type { ValueRange } from "./random-image.ts";

export type Change = (images: Value, seed: ops.SeedGenerator | undefined) => Value;

/**
 * Every image changed by one of the changes, each as likely as the others.
 *
 * A Program runs all that is in it, so "all changes of all images, then choose" would cost as many passes over the batch as
 * there are changes. Instead the batch is shuffled and cut into as many equal parts, each of which goes through one change;
 * only images that are left over go through all. That is the same chance for every image and change, at the cost of about
 * one pass.
 */
export function oneOf(images: Value, changes: readonly Change[], seed: ops.SeedGenerator | undefined): Value {
  const [batch] = images.shape as [number];
  const part = Math.floor(batch / changes.length);
  const order = ops.random.permutation(batch, { seed });
  const shuffled = ops.gather(images, order);
  const rows = (from: number, count: number) =>
    ops.slice(shuffled, [from, 0, 0, 0], [count, ...images.shape.slice(1)]);
  const done = part === 0 ? [] : changes.map((change, i) => change(rows(i * part, part), seed));
  const left = batch - part * changes.length;
  if (left > 0) {
    const rest = rows(batch - left, left);
    const drawn = ops.random.uniform([left, 1, 1, 1], { min: 0, max: changes.length, seed });
    const choice = ops.floor(drawn);
    done.push(changes.reduce((x, change, i) => ops.where(ops.equal(choice, i), change(rest, seed), x), rest));
  }
  return ops.gather(ops.concatenate(done, { axis: 0 }), ops.argsort(order));
}

/** The changes of RandAugment and AugMix, as strong as `factor` says, by name. */
export function changesOf(
  factor: readonly [number, number],
  interpolation: "bilinear" | "nearest",
  valueRange: ValueRange,
): Record<string, Change> {
  const values = { factor, valueRange };
  const contrast = color.autoContrast({ valueRange });
  const equal = equalization({ valueRange });
  const training = { training: true };
  const random = {
    shear: randomShear({ interpolation, xFactor: factor, yFactor: factor }),
    translation: randomTranslation({ interpolation, heightFactor: factor, widthFactor: factor }),
    rotation: randomRotation({ interpolation, factor }),
    brightness: color.randomBrightness(values),
    colorDegeneration: color.randomColorDegeneration(values),
    contrast: color.randomContrast(values),
    sharpness: randomSharpness(values),
    solarization: color.solarization({ valueRange, additionFactor: factor, thresholdFactor: factor }),
    posterization: color.randomPosterization({
      valueRange,
      factor: Math.max(1, Math.floor(8 * factor[1])),
    }),
  };
  const changes: Record<string, Change> = {
    autoContrast: (x) => contrast.apply(x, training),
    equalization: (x) => equal.apply(x, training),
  };
  for (const [name, layer] of Object.entries(random)) changes[name] = (x, seed) => layer.augment(x, seed);
  return changes;
}
