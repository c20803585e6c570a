// The memory plan: what is alive at the same time never overlaps, whatever the lifetimes.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Lifetime, planMemory } from "../../src/program/memory.ts";
import { ALIGNMENT } from "../../src/program/program.ts";

const lifetime = fc
  .tuple(fc.nat(5000), fc.nat(30), fc.nat(10))
  .map(([bytes, first, span]): Lifetime => ({ bytes, first, last: first + span }));

describe("planMemory", () => {
  it("never overlaps what lives at the same time, keeps alignment and stays within its height", () => {
    fc.assert(
      fc.property(fc.array(lifetime, { maxLength: 60 }), (blocks) => {
        const { offsets, bytes, naiveBytes } = planMemory(blocks);
        blocks.forEach((a, i) => {
          expect(offsets[i]! % ALIGNMENT).toBe(0);
          expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
          blocks.slice(0, i).forEach((b, j) => {
            const together = a.first <= b.last && b.first <= a.last && a.bytes > 0 && b.bytes > 0;
            const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
            if (together) expect(apart).toBe(true);
          });
        });
        expect(bytes).toBeLessThanOrEqual(naiveBytes);
      }),
      { numRuns: 300 },
    );
  });

  it("reaches the least possible height for a chain", () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 256, first: i, last: i + 1 }));
    expect(planMemory(chain)).toMatchObject({ bytes: 512, naiveBytes: 2560 });
  });

  it("gives tensors of no bytes no room", () => {
    expect(planMemory([{ bytes: 0, first: 0, last: 9 }])).toEqual({ offsets: [0], bytes: 0, naiveBytes: 0 });
  });
});
