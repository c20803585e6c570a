// npm run bench -- install-peers: puts the npm peers into bench/compare/node_modules, and nowhere else.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export function installPeers(): void {
  const cwd = fileURLToPath(new URL("compare", import.meta.url));
  execFileSync("npm", ["install", "--ignore-scripts", "--no-package-lock"], {
    cwd,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
}
