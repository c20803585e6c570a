// The arrows of docs/architecture.md as rules: `npm run lint` fails on any import that goes against them.
// Cycles are biome's business (noImportCycles), which tells types from values. Each folder of src/ (or file beside them) lists what it may import from; its own folder is always allowed.

const below = {
  core: [],
  graph: ["core"],
  ops: ["core", "graph"],
  autodiff: ["core", "graph", "ops"],
  passes: ["core", "graph", "ops", "program"],
  program: ["core", "graph", "ops"],
  engine: ["core", "graph", "ops", "program"],
  initializers: ["core", "graph"],
  regularizers: ["core", "graph", "ops"],
  constraints: ["core", "graph", "ops"],
  layers: ["core", "graph", "ops", "initializers", "regularizers", "constraints"],
  losses: ["core", "graph", "ops"],
  // A metric may be the mean of a loss.
  metrics: ["core", "graph", "ops", "losses"],
  optimizers: ["core", "graph", "ops"],
  models: ["core", "graph", "ops", "layers", "initializers", "formats"],
  data: ["core"],
  // Each file is a subpath export; what it needs from npm is an optional peer.
  loaders: ["core", "data"],
  formats: ["core"],
  // The joint: the only file that knows the whole path.
  "compile\\.ts": ["core", "graph", "ops", "autodiff", "passes", "program", "engine"],
  "functions\\.ts": ["core", "graph", "ops", "autodiff", "engine", "compile\\.ts"],
  training: [
    "core",
    "graph",
    "ops",
    "autodiff",
    "engine",
    "compile\\.ts",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "models",
    "data",
    "formats",
  ],
  tabular: ["core", "data", "layers", "models", "optimizers", "training"],
  // A program, not a part of the library: nothing imports it.
  cli: [
    "core",
    "graph",
    "ops",
    "engine",
    "functions\\.ts",
    "layers",
    "models",
    "data",
    "loaders",
    "training",
    "tabular",
  ],
};

const place = (name) => (name.endsWith("\\.ts") ? `^src/${name}$` : `^src/${name}/`);

const arrows = Object.entries(below).map(([name, allowed]) => ({
  name: `${name.replace("\\", "")} imports only from the left`,
  severity: "error",
  from: { path: place(name) },
  to: { path: "^src/", pathNot: [place(name), ...allowed.map(place)] },
}));

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: "the core has no dependency",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/loaders/" },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "unknown"] },
    },
    {
      name: "node: only where a machine is meant",
      severity: "error",
      from: {
        path: "^src/",
        pathNot: "^src/(core/node\\.ts|loaders/|cli/)",
      },
      to: { dependencyTypes: ["core"] },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: { parser: "swc", tsPreCompilationDeps: true, doNotFollow: { path: "node_modules" } },
};
