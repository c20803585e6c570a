// What callbacks that watch one logged number share: its options, its direction, and what counts as better.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkNumber, checkOneOf } from "../../core/options.ts";
import type { CallbackParams } from "../callback.ts";

export interface MonitorOptions {
  /** Log name to watch. Default "valLoss". */
  monitor?: string;
  /** Whether less or more is better; "auto" knows the built-in losses and metrics. Default "auto". */
  mode?: "auto" | "min" | "max";
}

/** One logged number that is watched for improvement. */
export class Monitor {
  readonly name: string;
  private readonly mode: "auto" | "min" | "max";
  private readonly minDelta: number;
  private sign = -1;

  /** @param where names the callback in errors */
  constructor(
    private readonly where: string,
    options: MonitorOptions,
    minDelta = 0,
  ) {
    const { monitor = "valLoss", mode = "auto" } = options;
    if (typeof monitor !== "string" || monitor === "") {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected monitor to be a log name, got ${describe(monitor)}`,
      );
    }
    this.name = monitor;
    this.mode = checkOneOf(where, "mode", mode, ["auto", "min", "max"]);
    this.minDelta = Math.abs(checkNumber(where, "minDelta", minDelta));
  }

  /** Finds out, before any training, whether the number will be there and which way is better. */
  begin({ metrics }: CallbackParams): void {
    const { where, name, mode } = this;
    if (!metrics.has(name)) {
      const hint = name.startsWith("val") ? "; give fit validationData or validationSplit" : "";
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected monitor to be one of ${[...metrics.keys()].join(", ")}, got ${describe(name)}${hint}`,
      );
    }
    const known = mode === "auto" ? metrics.get(name) : mode;
    if (!known) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected mode "min" or "max" for ${describe(name)}, whose direction is not known, got "auto"`,
      );
    }
    this.sign = known === "max" ? 1 : -1;
  }

  /**
   * NaN never improves, and anything else improves on nothing. Compared in float32, as Keras does: at the edge of minDelta
   * that decides.
   */
  isBetter(value: number, than: number | undefined): boolean {
    if (Number.isNaN(value)) return false;
    if (than === undefined) return true;
    const { sign, minDelta } = this;
    return sign * Math.fround(value - sign * minDelta) > sign * Math.fround(than);
  }
}
