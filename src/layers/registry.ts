// Layer classes by name, so that configurations can be read back. Files hold names and options, never code.

import { describe, MyelinError } from "../core/errors.ts";
import type { Layer } from "./layer.ts";

/** Plain data that describes a layer: its class and its options. */
export interface LayerConfig {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Makes a layer from its configuration; containers use it for the layers inside them. */
export type LayerReader = (config: LayerConfig) => Layer;

/** The class of a layer, as `registerLayer` takes it. */
export interface LayerClass {
  // biome-ignore lint/suspicious/noExplicitAny: constructors take whatever options their layer has.
  new (...args: any[]): Layer;
  /** The name in files when it should not be the class's own. */
  readonly className?: string;
  fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer;
}

const registered = new Map<string, LayerClass>();

/** The name a class goes by in files, summaries and automatic layer names. */
export function classNameOf(layerClass: LayerClass): string {
  return (Object.hasOwn(layerClass, "className") ? layerClass.className : undefined) ?? layerClass.name;
}

/**
 * Makes a layer class of your own known to `loadModel` and `modelFromJSON`. Its `getConfig` must return what its
 * constructor takes. Registering another class under the same name replaces it.
 * @returns the class
 * @example registerLayer(class Scale extends Layer { ... });
 */
export function registerLayer<C extends LayerClass>(layerClass: C): C {
  checkLayerClass("registerLayer", layerClass);
  registered.set(classNameOf(layerClass), layerClass);
  return layerClass;
}

export function registeredLayers(): ReadonlyMap<string, LayerClass> {
  return registered;
}

/** Throws unless it is a class with a name and `fromConfig` (which `Layer` provides). */
export function checkLayerClass(where: string, layerClass: LayerClass): void {
  if (typeof layerClass !== "function" || typeof layerClass.fromConfig !== "function") {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected a subclass of Layer, got ${describe(layerClass)}`,
    );
  }
  if (!classNameOf(layerClass)) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected a class with a name, got an anonymous one; give it a static className`,
    );
  }
}
