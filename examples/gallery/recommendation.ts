// Recommendation: what will a person think of a film? From 80,000 ratings of others and their own (MovieTweetings 100K).

import { input, layers, model, optimizers, regularizers, type Tensor, tensor, utils } from "myelin";
import { readLines } from "myelin/text";
import { dataFile, report, SEED } from "./data.ts";

const ratings = (await readLines(dataFile("movietweetings-100k/ratings.dat.gz"))).filter(Boolean).map((l) => l.split("::").map(Number)); // biome-ignore format: one line

/** Numbers from 0 on for whatever ids there are. */
function number(ids: readonly number[]): [codes: Tensor, count: number] {
  const known = new Map([...new Set(ids)].map((id, i) => [id, i]));
  return [tensor(Int32Array.from(ids, (id) => known.get(id)!)), known.size];
}
const [users, userCount] = number(ratings.map((r) => r[0]!));
const [films, filmCount] = number(ratings.map((r) => r[1]!));
const stars = tensor(Float32Array.from(ratings, (r) => r[2]!));
const split = utils.trainTestSplit([users, films, stars], { testSize: 0.2, seed: SEED });
const [user, testUser, film, testFilm, star, testStar] = split as [
  Tensor,
  Tensor,
  Tensor,
  Tensor,
  Tensor,
  Tensor,
];
const mean = Array.from(star.data).reduce((a, b) => a + b, 0) / star.size;
const around = (t: Tensor) =>
  tensor(
    Float32Array.from(t.data, (v) => v - mean),
    [t.size, 1],
  );

// How a person rates and how a film is liked, and how well their two vectors go together. Most people have rated a film or
// two: without a price for large weights they would be learnt by heart.
const [personId, filmId] = [input({ shape: [1], dtype: "int32" }), input({ shape: [1], dtype: "int32" })];
const look = (id: typeof personId, inputDim: number, outputDim: number, price: number) =>
  layers.flatten().apply(
    layers
      .embedding({
        inputDim,
        outputDim,
        embeddingsInitializer: outputDim === 1 ? "zeros" : "uniform",
        embeddingsRegularizer: regularizers.l2({ l2: price }),
      })
      .apply(id),
  );
const together = layers
  .dot({ axes: 1 })
  .apply([look(personId, userCount, 8, 5e-4), look(filmId, filmCount, 8, 5e-4)]);
const bias = [look(personId, userCount, 1, 3e-5), look(filmId, filmCount, 1, 3e-5)];
const recommender = model({
  inputs: [personId, filmId],
  outputs: layers.add().apply([together, ...bias]),
  seed: SEED,
});
recommender.compile({ optimizer: optimizers.adam({ learningRate: 3e-3 }), loss: "meanSquaredError", metrics: ["rootMeanSquaredError"] }); // biome-ignore format: one line
await recommender.fit([user, film], around(star), { epochs: 40, batchSize: 256, seed: SEED, verbose: 0, validationData: [[testUser, testFilm], around(testStar)] }); // biome-ignore format: one line
const { rootMeanSquaredError } = await recommender.evaluate([testUser, testFilm], around(testStar), {
  verbose: 0,
});

// To compare with: how a film is liked and how a person rates, as means over the ratings, shrunk as if by five more of the mean.
const left = Float64Array.from(star.data, (v) => v - mean);
function shrunk(ids: Tensor, count: number): Float64Array {
  const [sums, seen] = [new Float64Array(count), new Float64Array(count).fill(5)];
  for (const [i, v] of left.entries()) {
    sums[ids.at(i)]! += v;
    seen[ids.at(i)]!++;
  }
  const biases = sums.map((sum, id) => sum / seen[id]!);
  for (const i of left.keys()) left[i]! -= biases[ids.at(i)]!;
  return biases;
}
const [liked, rates] = [shrunk(film, filmCount), shrunk(user, userCount)];
const wanted = Array.from(around(testStar).data);
const errors = wanted.map((v, i) => v - liked[testFilm.at(i)]! - rates[testUser.at(i)]!);
const rms = (list: number[]) => Math.sqrt(list.reduce((sum, v) => sum + v * v, 0) / list.length).toFixed(3);
report("MovieTweetings, error in points of ten on a fifth of the ratings", rootMeanSquaredError!.toFixed(3), `${rms(errors)} of shrunk biases, ${rms(wanted)} of the mean`); // biome-ignore format: one line
