// The table of Keras's names says nothing that is not so.

import { describe, expect, test } from "vitest";
import { entriesOf, lookUp } from "../../scripts/generate-parity.ts";
import { GROUPS } from "../../scripts/keras-names.ts";

describe.each(GROUPS.map((group) => [group.title, group] as const))("%s", (_, group) => {
  const entries = entriesOf(group);

  test("each name once", () => {
    expect(new Set(entries.map((e) => e.name)).size).toBe(entries.length);
  });

  test("what is marked yes or different exists, as a function", () => {
    for (const { name, status, path } of entries) {
      if (status !== "yes" && status !== "different") continue;
      expect(typeof lookUp(path!), `${name}: ${path}`).toBe("function");
    }
  });

  test("what is different or not applicable says why", () => {
    for (const { name, status, why } of entries) {
      if (status === "different" || status === "not applicable") expect(why, name).toMatch(/\w{3}/);
    }
  });
});
