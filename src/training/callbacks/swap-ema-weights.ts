// callbacks.swapEMAWeights: measures and keeps the running averages of weights instead of the weights.

import { MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkOptions } from "../../core/options.ts";
import type { Variable } from "../../graph/variable.ts";
import { Callback } from "../callback.ts";

export interface SwapEMAWeightsOptions {
  /** Swap at the end of epochs too, for callbacks that save the model there. List it before them. Default false. */
  swapOnEpoch?: boolean;
}

/** See `swapEMAWeights`. */
export class SwapEMAWeights extends Callback {
  private readonly swapOnEpoch: boolean;
  private isSwapped = false;

  constructor(options: SwapEMAWeightsOptions = {}) {
    super();
    const { swapOnEpoch = false } = checkOptions("swapEMAWeights", options, ["swapOnEpoch"]);
    this.swapOnEpoch = checkBoolean("swapEMAWeights", "swapOnEpoch", swapOnEpoch);
  }

  override onTrainBegin(): void {
    this.pairs();
  }

  override onEpochBegin(): void {
    if (this.swapOnEpoch) this.swap(false);
  }

  override onEpochEnd(epoch: number): void {
    if (!this.swapOnEpoch || this.isSwapped) return;
    this.swap(true);
    if (epoch !== this.params.epochs - 1) return;
    // The last one: the averages stay, on both sides, so that nothing swaps them away.
    for (const [parameter, average] of this.pairs()) average.write(parameter.read());
  }

  override onTestBegin(): void {
    this.swap(true);
  }

  override onTestEnd(): void {
    this.swap(false);
  }

  override onPredictBegin(): void {
    this.swap(true);
  }

  override onPredictEnd(): void {
    this.swap(false);
  }

  override getState(): unknown {
    return this.isSwapped;
  }

  override setState(state: unknown): void {
    this.isSwapped = state === true;
  }

  private swap(wanted: boolean): void {
    if (this.isSwapped === wanted) return;
    this.isSwapped = wanted;
    for (const [parameter, average] of this.pairs()) {
      const value = parameter.read();
      parameter.write(average.read());
      average.write(value);
    }
  }

  private pairs(): [parameter: Variable, average: Variable][] {
    const { optimizer, trainableWeights } = this.model;
    if (!optimizer?.useEma) {
      throw new MyelinError(
        "INVALID_OPTION",
        `swapEMAWeights: expected an optimizer with useEma: true, got ${optimizer ? optimizer.name : "none"}`,
      );
    }
    return trainableWeights.flatMap((parameter) => {
      const average = optimizer.namedSlotsOf(parameter).find(([name]) => name === "average")?.[1];
      return average ? [[parameter, average] as [Variable, Variable]] : [];
    });
  }
}

/**
 * Swaps weights for their running averages while the model is evaluated or predicts, and back after. For optimizers with
 * `useEma: true`.
 * @throws INVALID_OPTION in fit, evaluate and predict, when the optimizer keeps no averages
 * @example callbacks.swapEMAWeights({ swapOnEpoch: true })
 */
export function swapEMAWeights(options: SwapEMAWeightsOptions = {}): SwapEMAWeights {
  return new SwapEMAWeights(options);
}
