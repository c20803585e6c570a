// The `applications` namespace of the public API: well-known models, built only from layers.

export { Gpt, type GptOptions, gpt } from "./gpt.ts";
export type { ClassifierOptions, ImageClassifierOptions } from "./image-classifier.ts";
export { type LstmClassifierOptions, lstmClassifier } from "./lstm-classifier.ts";
export { type MlpOptions, mlp } from "./mlp.ts";
export { type MobilenetV2Options, mobilenetV2 } from "./mobilenet-v2.ts";
export { type ResnetDepth, type ResnetOptions, resnet } from "./resnet.ts";
export type { SequenceClassifierOptions } from "./sequence-classifier.ts";
export { type TransformerClassifierOptions, transformerClassifier } from "./transformer-classifier.ts";
export { type UnetOptions, unet } from "./unet.ts";
export { type VggOptions, vgg } from "./vgg.ts";
