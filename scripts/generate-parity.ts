// Writes docs/keras-parity.md: what becomes of every name of Keras 3, found out by looking into the package.
// With --check only compares, and fails when the file is out of date.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as myelin from "../src/index.ts";
import * as audio from "../src/loaders/audio.ts";
import * as images from "../src/loaders/images.ts";
import * as text from "../src/loaders/text.ts";
import { GROUPS, type Group } from "./keras-names.ts";

export type Status = "yes" | "different" | "not applicable" | "no";

export interface Entry {
  readonly name: string;
  readonly status: Status;
  /** Its path here, from the package's root. */
  readonly path?: string;
  readonly why?: string;
}

const SUBPATHS: Record<string, object> = {
  "myelin/audio": audio,
  "myelin/images": images,
  "myelin/text": text,
};

/** What lies at a path of the package, or of a subpath ("myelin/text: readText"); undefined: nothing. */
export function lookUp(path: string): unknown {
  const [module, rest] = path.includes(": ") ? path.split(": ") : ["", path];
  let found: unknown = module ? SUBPATHS[module] : myelin;
  for (const part of rest ? rest.split(".") : []) {
    found = (found as Record<string, unknown> | undefined)?.[part];
  }
  return found;
}

export function entriesOf({ namespaces, names, notes = {} }: Group): Entry[] {
  const wrong = Object.keys(notes).filter((name) => !names.split(/\s+/).includes(name));
  if (wrong.length > 0) throw new Error(`keras-names.ts: notes on names that are not listed: ${wrong}`);
  return names.split(/\s+/).map((name): Entry => {
    const { as, differs, notApplicable } = notes[name] ?? {};
    const found = namespaces.map((space) => find(space, name)).find((p) => p !== undefined);
    if (notApplicable && found === undefined) return { name, status: "not applicable", why: notApplicable };
    const path = as !== undefined && lookUp(as) !== undefined ? as : found;
    if (path === undefined || lookUp(path) === undefined) return { name, status: "no" };
    return { name, status: differs ? "different" : "yes", path, why: differs };
  });
}

/** The path of a name in a namespace, spelt as it is here: Conv1D is conv1d, RNN is rnn. Factories come before classes. */
function find(space: string, name: string): string | undefined {
  const held = lookUp(space);
  if (held === undefined || held === null) return undefined;
  const wanted = name.replaceAll("_", "").toLowerCase();
  const keys = [
    ...Object.keys(held),
    ...(space.endsWith("prototype") ? Object.getOwnPropertyNames(held) : []),
  ];
  const matching = keys.filter(
    (key) => key.toLowerCase() === wanted && typeof (held as Record<string, unknown>)[key] === "function",
  );
  const key = matching.find((k) => /^[a-z]/.test(k)) ?? matching[0];
  return key === undefined ? undefined : space === "" ? key : `${space}.${key}`;
}

function render(): string {
  const groups = GROUPS.map((group) => ({ group, entries: entriesOf(group) }));
  const all = groups.flatMap((g) => g.entries);
  const count = (status: Status) => all.filter((e) => e.status === status).length;
  const cell = ({ name, status, path, why = "" }: Entry) =>
    `| ${name} | ${status} | ${path ? `\`${path.replace("Model.prototype", "model")}\`` : ""} | ${why} |`;
  const sections = groups.map(({ group, entries }) =>
    [
      `## ${group.title}`,
      "",
      "| Keras 3 | here | as | why |",
      "|---|---|---|---|",
      ...entries.map(cell),
    ].join("\n"),
  );
  return `# Keras 3, name by name

What becomes of every public name of Keras 3 in this library. Made by \`npm run generate\` from the package itself: a name is
marked yes or different only where it is found. Names are Keras's in camelCase; arguments come in one options object.

Of ${all.length} names: ${count("yes")} yes, ${count("different")} different (why is said), ${count("not applicable")} not applicable, ${count("no")} no.

${sections.join("\n\n")}
`;
}

const path = fileURLToPath(new URL("../docs/keras-parity.md", import.meta.url));
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = render();
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error("docs/keras-parity.md is out of date: run `npm run generate`");
    process.exit(1);
  }
}
