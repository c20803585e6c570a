// One record per op and way of calling it: input shapes and ranges, tolerance, gradient. The judges in test/ops walk over
// them: gradients against finite differences, native against plain evaluation on every CPU level, passes on and off.
// Adding an op means adding its case to a file of test/cases; test/ops/values.test.ts fails for an op without one.

import { attentionCases } from "./cases/attention.ts";
import type { OpCase } from "./cases/case.ts";
import { composedCases } from "./cases/composed.ts";
import { compositeCases } from "./cases/composite.ts";
import { convCases } from "./cases/conv.ts";
import { elementwiseCases } from "./cases/elementwise.ts";
import { moveCases } from "./cases/move.ts";
import { normalizationCases } from "./cases/normalization.ts";
import { poolCases } from "./cases/pool.ts";
import { productCases } from "./cases/product.ts";
import { recurrenceCases } from "./cases/recurrence.ts";
import { reduceCases } from "./cases/reduce.ts";

export type { OpCase };

export const cases: readonly OpCase[] = [
  ...elementwiseCases,
  ...reduceCases,
  ...moveCases,
  ...productCases,
  ...convCases,
  ...poolCases,
  ...compositeCases,
  ...attentionCases,
  ...normalizationCases,
  ...recurrenceCases,
  ...composedCases,
];
