// callbacks.remoteMonitor: every epoch's logs to a server, by HTTP.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkOptions } from "../../core/options.ts";
import { Callback, type Logs } from "../callback.ts";
import { checkText } from "./say.ts";

export interface RemoteMonitorOptions {
  /** The server. Default "http://localhost:9000". */
  root?: string;
  /** Comes after root. Default "/publish/epoch/end/". */
  path?: string;
  /** The field of the form that holds the JSON. Default "data". */
  field?: string;
  /** Further headers. */
  headers?: Readonly<Record<string, string>>;
  /** The JSON as the body itself instead of a form. Default false. */
  sendAsJson?: boolean;
}

const WHERE = "remoteMonitor";
const OPTIONS = ["root", "path", "field", "headers", "sendAsJson"] as const;

/** See `remoteMonitor`. */
export class RemoteMonitor extends Callback {
  private readonly url: string;
  private readonly field: string;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly sendAsJson: boolean;

  constructor(options: RemoteMonitorOptions = {}) {
    super();
    const o = checkOptions(WHERE, options, OPTIONS);
    const root = checkText(WHERE, "root", o.root ?? "http://localhost:9000");
    this.url = root + (o.path === "" ? "" : checkText(WHERE, "path", o.path ?? "/publish/epoch/end/"));
    if (!URL.canParse(this.url) || !/^https?:/.test(this.url)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${WHERE}: expected root and path to make an http address, got ${describe(this.url)}`,
      );
    }
    this.field = checkText(WHERE, "field", o.field ?? "data");
    const headers: unknown = o.headers ?? {};
    const isRecord = typeof headers === "object" && headers !== null && !Array.isArray(headers);
    if (!isRecord || Object.values(headers).some((value) => typeof value !== "string")) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${WHERE}: expected headers to be strings by name, got ${describe(headers)}`,
      );
    }
    this.headers = headers as Readonly<Record<string, string>>;
    this.sendAsJson = checkBoolean(WHERE, "sendAsJson", o.sendAsJson ?? false);
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const text = JSON.stringify({ epoch, ...logs });
    const type: Record<string, string> = this.sendAsJson ? { "content-type": "application/json" } : {};
    const body = this.sendAsJson ? text : new URLSearchParams({ [this.field]: text });
    try {
      const answer = await fetch(this.url, { method: "POST", headers: { ...type, ...this.headers }, body });
      await answer.arrayBuffer();
    } catch (cause) {
      console.warn(`myelin: ${WHERE}: could not reach ${this.url} (${(cause as Error).message})`);
    }
  }
}

/**
 * Posts `{ epoch, ...logs }` to a server after every epoch. A server that cannot be reached is a warning.
 * @example callbacks.remoteMonitor({ root: "http://localhost:9000", sendAsJson: true })
 */
export function remoteMonitor(options: RemoteMonitorOptions = {}): RemoteMonitor {
  return new RemoteMonitor(options);
}
