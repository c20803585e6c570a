// "myelin/images": pictures from files and folders, and back. Needs the package sharp.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { stack } from "../data/stack.ts";
import {
  DIRECTORY_OPTIONS,
  type Directory,
  type DirectoryElement,
  type DirectoryOptions,
  labelledFiles,
} from "./labelled-files.ts";
import { importPeer } from "./peer.ts";
import { type FileSource, nameOf, readAll } from "./source.ts";

export interface ImageOptions {
  /** Three channels, one (0.299 R + 0.587 G + 0.114 B), or four with opacity. Default "rgb". */
  colorMode?: "rgb" | "grayscale" | "rgba";
  /** [height, width] to resize to. Default: as the file is. */
  imageSize?: readonly [height: number, width: number];
  /** How to resize; smaller pictures are made of all pixels of the larger one. Default "bilinear". */
  interpolation?: "nearest" | "bilinear" | "bicubic" | "lanczos3";
  /** Keep proportions and cut off what sticks out, from the middle. Default false: proportions change. */
  cropToAspectRatio?: boolean;
  /** Keep proportions and put black around. Default false. */
  padToAspectRatio?: boolean;
}

const IMAGE_OPTIONS = [
  "colorMode",
  "imageSize",
  "interpolation",
  "cropToAspectRatio",
  "padToAspectRatio",
] as const satisfies readonly (keyof ImageOptions)[];

/** sharp's names of filters. */
const KERNELS = { nearest: "nearest", bilinear: "linear", bicubic: "cubic", lanczos3: "lanczos3" } as const;

interface Decoding {
  readonly mode: "rgb" | "grayscale" | "rgba";
  readonly resize: object | undefined;
}

function checkImageOptions(where: string, o: ImageOptions): Decoding {
  const mode = checkOneOf(where, "colorMode", o.colorMode ?? "rgb", ["rgb", "grayscale", "rgba"]);
  const filter = checkOneOf(
    where,
    "interpolation",
    o.interpolation ?? "bilinear",
    Object.keys(KERNELS) as (keyof typeof KERNELS)[],
  );
  const crop = checkBoolean(where, "cropToAspectRatio", o.cropToAspectRatio ?? false);
  const pad = checkBoolean(where, "padToAspectRatio", o.padToAspectRatio ?? false);
  if (crop && pad)
    throw new MyelinError("INVALID_OPTION", `${where}: expected cropToAspectRatio or padToAspectRatio, got both`); // biome-ignore format: one line
  if (o.imageSize === undefined) return { mode, resize: undefined };
  if (!Array.isArray(o.imageSize) || o.imageSize.length !== 2)
    throw new MyelinError("INVALID_OPTION", `${where}: expected imageSize to be [height, width], got ${describe(o.imageSize)}`); // biome-ignore format: one line
  const [height, width] = o.imageSize.map((n) => checkInteger(where, "imageSize", n, 1));
  const fit = crop ? "cover" : pad ? "contain" : "fill";
  const background = { r: 0, g: 0, b: 0, alpha: 1 };
  return { mode, resize: { width, height, fit, background, kernel: KERNELS[filter] } };
}

const loadSharp = async (where: string) => (await importPeer(where, "sharp", () => import("sharp"))).default;

async function decode(
  where: string,
  source: FileSource | Uint8Array,
  { mode, resize }: Decoding,
): Promise<Tensor> {
  const sharp = await loadSharp(where);
  const isBytes = source instanceof Uint8Array;
  const bytes = isBytes ? source : await readAll(where, source);
  let pixels: { data: Buffer; info: { width: number; height: number; channels: number } };
  try {
    // Upright, as people see it: cameras turn pictures by a note in the file.
    let image = sharp(bytes).autoOrient().toColourspace("srgb");
    image = mode === "rgba" ? image.ensureAlpha() : image.removeAlpha();
    if (resize) image = image.resize(resize);
    pixels = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  } catch (error) {
    const name = isBytes ? "the bytes" : nameOf(source);
    throw new MyelinError("INVALID_FILE", `${where}: ${name}: expected an image, got ${(error as Error).message}`, { cause: error }); // biome-ignore format: one line
  }
  const { data, info } = pixels;
  const shape = [info.height, info.width, mode === "grayscale" ? 1 : info.channels];
  return new Tensor(mode === "grayscale" ? grayOf(data) : Float32Array.from(data), shape, "float32");
}

/** The luma of television, which Keras and Pillow use; sharp's own is of linear light. */
function grayOf(rgb: Uint8Array): Float32Array {
  return Float32Array.from({ length: rgb.length / 3 }, (_, i) =>
    Math.round(0.299 * rgb[3 * i]! + 0.587 * rgb[3 * i + 1]! + 0.114 * rgb[3 * i + 2]!),
  );
}

/**
 * Reads a picture: JPEG, PNG, WebP, AVIF, GIF (its first frame), TIFF, SVG (Keras `load_img` and `img_to_array`). Other than
 * in Keras it is turned upright where the file says how it was taken.
 * @param source a path, a URL, a stream, or the bytes themselves
 * @returns float32 [height, width, channels], values 0 to 255
 * @throws INVALID_FILE naming what cannot be read; INVALID_OPTION also when the package sharp is missing
 * @example const image = await readImage("cat.jpg", { imageSize: [224, 224], cropToAspectRatio: true });
 */
export async function readImage(source: FileSource | Uint8Array, options?: ImageOptions): Promise<Tensor> {
  const where = "readImage";
  return decode(where, source, checkImageOptions(where, checkOptions(where, options, IMAGE_OPTIONS)));
}

export interface WriteImageOptions {
  /** The least value becomes black, the greatest white. Default true; false: values are 0 to 255 already. */
  scale?: boolean;
}

/**
 * Writes a picture; the ending of the name says how: .png, .jpg, .webp, .avif, .tiff, .gif (Keras `save_img`).
 * @param image [height, width] or [height, width, 1, 3 or 4 channels]
 * @throws SHAPE_MISMATCH another shape; INVALID_FILE it cannot be written; INVALID_OPTION also without the package sharp
 */
export async function writeImage(path: string, image: Tensor, options?: WriteImageOptions): Promise<void> {
  const where = "writeImage";
  const o = checkOptions(where, options, ["scale"]);
  const scale = checkBoolean(where, "scale", o.scale ?? true);
  if (!(image instanceof Tensor))
    throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a tensor, got ${describe(image)}`);
  const [height, width, channels = 1] = image.shape;
  if ((image.rank !== 2 && image.rank !== 3) || ![1, 3, 4].includes(channels))
    throw new MyelinError("SHAPE_MISMATCH", `${where}: expected [height, width] or [height, width, 1, 3 or 4], got ${formatShape(image.shape)}`); // biome-ignore format: one line
  const sharp = await loadSharp(where);
  const raw = { width: width!, height: height!, channels: channels as 1 | 3 | 4 };
  try {
    await sharp(bytesOf(image, scale), { raw }).toFile(path);
  } catch (error) {
    throw new MyelinError("INVALID_FILE", `${where}: ${path}: expected to write it, got ${(error as Error).message}`, { cause: error }); // biome-ignore format: one line
  }
}

function bytesOf(image: Tensor, scale: boolean): Uint8ClampedArray {
  const values = Float32Array.from(image.data as ArrayLike<number>);
  if (!scale) return Uint8ClampedArray.from(values);
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const v of values) {
    min = Math.min(min, v);
    max = Math.max(max, v);
  }
  return Uint8ClampedArray.from(values, (v) => ((v - min) / (max - min || 1)) * 255);
}

export interface ImageDirectoryOptions extends Omit<ImageOptions, "imageSize">, DirectoryOptions {
  /** [height, width] of every picture. Default [256, 256]. */
  imageSize?: readonly [height: number, width: number];
  /** What names of files end in. Default: .jpg .jpeg .png .webp .gif .avif .tif .tiff */
  extensions?: readonly string[];
}

type ImageElement<O> = DirectoryElement<O, Tensor, Tensor>;

const EXTENSIONS = [".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".tif", ".tiff"] as const;

/**
 * Pictures in folders named after their classes, read and resized when they are needed (Keras `image_dataset_from_directory`):
 * float32 [batch, height, width, channels], values 0 to 255.
 * @throws INVALID_FILE the folder is not there; INVALID_DATA no files in it; in the dataset INVALID_FILE naming a file
 * @example
 * const { dataset, validation, classNames } = await imagesFromDirectory("flowers", { imageSize: [96, 96], validationSplit: 0.2 });
 * await model.fit(dataset.prefetch(2), { epochs: 5, validationData: validation });
 */
export async function imagesFromDirectory<const O extends ImageDirectoryOptions = Record<never, never>>(
  directory: string,
  options?: O,
): Promise<Directory<ImageElement<O>>> {
  const where = "imagesFromDirectory";
  const known = [...DIRECTORY_OPTIONS, ...IMAGE_OPTIONS] as const;
  const o: ImageDirectoryOptions = checkOptions<ImageDirectoryOptions>(where, options, known);
  const decoding = checkImageOptions(where, { ...o, imageSize: o.imageSize ?? [256, 256] });
  await loadSharp(where);
  const kind = {
    extensions: EXTENSIONS,
    read: (path: string) => decode(where, path, decoding),
    stack: (images: readonly Tensor[]) => stack(where, images, 0) as Tensor,
  };
  return (await labelledFiles(where, directory, o, kind)) as Directory<ImageElement<O>>;
}
