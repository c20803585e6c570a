export { prune as fold } from "./prune.ts";
