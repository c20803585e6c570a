// callbacks.lambda: a callback from functions.

import { type CallbackHooks, CallbackList } from "../callback.ts";

/**
 * A callback from functions.
 * @example callbacks.lambda({ onEpochEnd: (epoch, logs) => console.log(epoch, logs.loss) })
 */
export function lambda(hooks: CallbackHooks): CallbackHooks {
  new CallbackList("callbacks.lambda", [hooks]);
  return hooks;
}
