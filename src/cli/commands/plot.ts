// npx myelin plot: a picture of a saved model.

import { loadModel, plotModel } from "../../models/index.ts";
import { type Command, UsageError } from "../command.ts";

export const plot: Command = {
  name: "plot",
  summary: "Draws a saved model as SVG, or as an HTML page with its table of layers",
  positionals: [
    { name: "model", help: "the folder of a saved model" },
    {
      name: "output",
      help: "a file that ends in .svg or .html; without it the SVG is printed",
      isOptional: true,
    },
  ],
  options: {
    direction: {
      type: "text",
      value: "down|right",
      help: "which way data flow (default down; neurons: right)",
    },
    expand: { type: "flag", help: "draw models inside in full" },
    neurons: { type: "flag", help: "draw dense layers neuron by neuron" },
  },
  examples: [
    ["plot titanic.myelin titanic.svg", "boxes and arrows"],
    ["plot titanic.myelin titanic.html --neurons", "neurons and their connections, in a page"],
  ],
  async run(given, { out }) {
    const { output, direction } = given as { output?: string; direction?: string };
    if (output !== undefined && !/\.(svg|html)$/.test(output))
      throw new UsageError(`OUTPUT must end in .svg or .html, got ${JSON.stringify(output)}`);
    if (direction !== undefined && direction !== "down" && direction !== "right")
      throw new UsageError(`--direction is down or right, got ${JSON.stringify(direction)}`);
    const model = await loadModel(String(given.model));
    const svg = await plotModel(model, {
      toFile: output ?? null,
      style: given.neurons ? "neurons" : "layers",
      showShapes: true,
      showLayerNames: true,
      showLayerActivations: true,
      expandNested: given.expand === true,
      ...(direction !== undefined && { rankdir: direction === "right" ? "LR" : "TB" }),
    });
    if (given.json)
      out.write(`${JSON.stringify({ output: output ?? null, svg: output ? undefined : svg })}\n`);
    else out.write(output === undefined ? svg : `wrote ${output}\n`);
  },
};
