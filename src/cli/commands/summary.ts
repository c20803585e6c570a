// npx myelin summary: what a saved model is made of, and what it reads.

import { loadModel } from "../../models/index.ts";
import { isTabular, tabularOf } from "../../tabular/loading.ts";
import type { Command } from "../command.ts";
import { describeColumns } from "../describe.ts";

export const summary: Command = {
  name: "summary",
  summary: "Shows the layers of a saved model, and the columns it reads",
  positionals: [{ name: "model", help: "the folder of a saved model" }],
  options: {
    flops: { type: "flag", help: "show what a prediction of one row costs" },
    expand: { type: "flag", help: "show the layers inside of models and custom layers" },
  },
  examples: [
    ["summary titanic.myelin", "layers, output shapes, numbers of weights"],
    ["summary titanic.myelin --json", "architecture and metadata as JSON"],
  ],
  async run(given, { out }) {
    const path = String(given.model);
    const model = await loadModel(path);
    if (given.json) {
      const { metadata, inputSpecs, outputSpecs } = model;
      const parameters = model.countParams();
      const result = { ...model.toJSON(), parameters, inputs: inputSpecs, outputs: outputSpecs, metadata };
      out.write(`${JSON.stringify(result, null, 2)}\n`);
      return;
    }
    const text = model.summary({
      print: false,
      expandNested: given.expand === true,
      showFlops: given.flops === true,
    });
    out.write(`${text}\n`);
    if (isTabular(model)) out.write(`\n${describeColumns(tabularOf(path, model))}\n`);
  },
};
