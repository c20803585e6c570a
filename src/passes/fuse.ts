export { prune as fuse } from "./prune.ts";
