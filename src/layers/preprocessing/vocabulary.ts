// A vocabulary: special tokens first (the mask, then the unknown ones), then the others by how often they were seen.

import { describe, MyelinError } from "../../core/errors.ts";

interface Settings<T> {
  readonly maxTokens: number | undefined;
  readonly oovIndices: number;
  readonly maskToken: T | undefined;
  readonly oovToken: T;
}

export class Vocabulary<T extends string | number> {
  readonly maxTokens: number | undefined;
  readonly oovIndices: number;
  readonly maskToken: T | undefined;
  readonly oovToken: T;
  private readonly where: string;
  private tokens: readonly T[] | undefined;
  private idf: readonly number[] | undefined;
  private places = new Map<T, number>();

  constructor(where: string, settings: Settings<T>) {
    this.where = where;
    this.maxTokens = settings.maxTokens;
    this.oovIndices = settings.oovIndices;
    this.maskToken = settings.maskToken;
    this.oovToken = settings.oovToken;
    if (this.maxTokens !== undefined && this.maxTokens <= this.first + this.oovIndices) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected maxTokens above the ${this.first + this.oovIndices} special tokens, got ${this.maxTokens}`,
      );
    }
  }

  /** The first index of unknown tokens. */
  get first(): number {
    return this.maskToken === undefined ? 0 : 1;
  }

  get size(): number {
    return this.first + this.oovIndices + this.own.length;
  }

  private get own(): readonly T[] {
    if (this.tokens) return this.tokens;
    throw new MyelinError(
      "NOT_BUILT",
      `${this.where}: expected a vocabulary; call adapt(data) or give the option vocabulary`,
    );
  }

  /** Sets the tokens: without special ones, or with all of them in front. */
  set(vocabulary: readonly T[], idfWeights?: readonly number[]): void {
    if (!Array.isArray(vocabulary) || vocabulary.length === 0) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${this.where}: expected vocabulary to be a list of tokens, got ${describe(vocabulary)}`,
      );
    }
    const special = this.special();
    const hasSpecial = special.length > 0 && special.every((s, i) => vocabulary[i] === s);
    const tokens = hasSpecial ? vocabulary.slice(special.length) : vocabulary;
    const places = new Map<T, number>();
    const begin = this.first + this.oovIndices;
    tokens.forEach((token, i) => {
      if (places.has(token) || token === this.oovToken || token === this.maskToken) {
        const why = places.has(token) ? "twice" : "a special token";
        throw new MyelinError(
          "INVALID_OPTION",
          `${this.where}: expected distinct tokens, got ${describe(token)} ${why}`,
        );
      }
      places.set(token, begin + i);
    });
    if (this.maxTokens !== undefined && begin + tokens.length > this.maxTokens) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${this.where}: expected at most maxTokens ${this.maxTokens} with special tokens, got ${begin + tokens.length}`,
      );
    }
    if (idfWeights !== undefined && idfWeights.length !== tokens.length) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${this.where}: expected ${tokens.length} idfWeights, one for each token, got ${idfWeights.length}`,
      );
    }
    this.tokens = [...tokens];
    this.idf = idfWeights && [...idfWeights];
    this.places = places;
  }

  indexOf(token: T): number | undefined {
    if (token === this.maskToken) return 0;
    if (!this.tokens) void this.own;
    return this.places.get(token);
  }

  list(includeSpecial: boolean): T[] {
    return includeSpecial ? [...this.special(), ...this.own] : [...this.own];
  }

  private special(): T[] {
    const mask = this.maskToken === undefined ? [] : [this.maskToken];
    return [...mask, ...new Array<T>(this.oovIndices).fill(this.oovToken)];
  }

  /** Weights by index; unknown tokens count as the mean of the others. */
  weights(where: string, width: number): readonly number[] {
    if (!this.idf) {
      throw new MyelinError(
        "NOT_BUILT",
        `${where}: expected idfWeights; call adapt(data) with outputMode "tfIdf"`,
      );
    }
    const mean = this.idf.reduce((a, b) => a + b, 0) / this.idf.length;
    const all = [...new Array<number>(this.first + this.oovIndices).fill(mean), ...this.idf];
    return [...all, ...new Array<number>(Math.max(0, width - all.length)).fill(0)];
  }

  /** Counts tokens of documents and makes them the vocabulary. */
  counter(): { add(document: readonly T[]): void; finish(withWeights: boolean): void } {
    const counts = new Map<T, number>();
    const documents = new Map<T, number>();
    let total = 0;
    return {
      add: (document) => {
        total++;
        for (const token of document) counts.set(token, (counts.get(token) ?? 0) + 1);
        for (const token of new Set(document)) documents.set(token, (documents.get(token) ?? 0) + 1);
      },
      finish: (withWeights) => {
        counts.delete(this.oovToken);
        if (this.maskToken !== undefined) counts.delete(this.maskToken);
        const sorted = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? 1 : a > b ? -1 : 0));
        const most =
          this.maxTokens === undefined ? sorted.length : this.maxTokens - this.first - this.oovIndices;
        const tokens = sorted.slice(0, most).map(([token]) => token);
        if (tokens.length === 0) {
          throw new MyelinError("INVALID_DATA", `${this.where}: adapt: expected tokens, got none`);
        }
        const idf = tokens.map((token) => Math.log(1 + total / (1 + documents.get(token)!)));
        this.set(tokens, withWeights ? idf : undefined);
      },
    };
  }

  getConfig(): Record<string, unknown> {
    return {
      maxTokens: this.maxTokens ?? null,
      numOovIndices: this.oovIndices,
      maskToken: this.maskToken ?? null,
      oovToken: this.oovToken,
      vocabulary: this.tokens ?? null,
      idfWeights: this.idf ?? null,
    };
  }
}
