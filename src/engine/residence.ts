// Where Variables live: on the host until an engine first needs them, then in that engine's memory, and with whichever
// engine used them last. Nothing to free: a Variable that is no longer reachable takes its buffer with it.

import { allocateHost, type HostArray } from "../core/dtype.ts";
import { MyelinError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import type { Residence, Variable } from "../graph/variable.ts";
import type { DeviceBuffer, Engine } from "./engine.ts";

/** A Variable's place in an engine's memory. */
class Placed implements Residence {
  readonly buffer: DeviceBuffer;
  constructor(buffer: DeviceBuffer) {
    this.buffer = buffer;
  }
  read(): HostArray {
    const data = allocateHost(this.buffer.type.dtype, sizeOf(this.buffer.type.shape));
    this.buffer.engine.read(this.buffer, data);
    return data;
  }
  write(data: HostArray): void {
    this.buffer.engine.write(this.buffer, data);
  }
}

/** Nowhere: the Variable's model has been disposed of. */
class Gone implements Residence {
  constructor(private readonly name: string) {}
  read(): never {
    throw new MyelinError(
      "DISPOSED",
      `variable ${this.name}: expected a live model, got one that was disposed`,
    );
  }
  write(): never {
    return this.read();
  }
}

let moves = 0;

/** Goes up whenever a Variable changes its buffer: what was bound before must be looked up again. */
export function residenceVersion(): number {
  return moves;
}

/** The buffer of a Variable on this engine; placed there on first use, moved there when it lives elsewhere. */
export function bufferOf(engine: Engine, variable: Variable): DeviceBuffer {
  const before = variable.residence;
  if (before instanceof Placed && before.buffer.engine === engine) return before.buffer;
  const value = before?.read() ?? variable.makeInitial();
  const buffer = engine.allocate({ shape: variable.shape, dtype: variable.dtype });
  engine.write(buffer, value);
  variable.moveTo(new Placed(buffer));
  if (before instanceof Placed) before.buffer.engine.dispose(before.buffer);
  moves++;
  return buffer;
}

/** The same for a Variable whose value is about to be written piece by piece: nothing is copied, a new buffer holds zeros. */
export function emptyBufferOf(engine: Engine, variable: Variable): DeviceBuffer {
  const before = variable.residence;
  if (before instanceof Placed && before.buffer.engine === engine) return before.buffer;
  const buffer = engine.allocate({ shape: variable.shape, dtype: variable.dtype });
  variable.moveTo(new Placed(buffer));
  if (before instanceof Placed) before.buffer.engine.dispose(before.buffer);
  moves++;
  return buffer;
}

/** A copy of a Variable's present value. Waits for a running step that uses it. */
export function readValue(variable: Variable): Tensor {
  return variable.read();
}

/** Gives a Variable a new value: exactly as many elements as its shape has, converted to its dtype. */
export function writeValue(variable: Variable, data: HostArray): void {
  if (data.length !== sizeOf(variable.shape)) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `variable ${variable.name}: expected ${sizeOf(variable.shape)} elements, got ${data.length}`,
    );
  }
  const host = allocateHost(variable.dtype, data.length);
  host.set(data as Float32Array);
  variable.write(new Tensor(host, variable.shape, variable.dtype));
}

/** Brings a Variable back to the host and frees its buffer. The value stays; the next use places it again. */
export function release(variable: Variable): void {
  const place = variable.residence;
  if (!(place instanceof Placed)) return;
  const value = variable.read();
  variable.residence = undefined;
  variable.write(value);
  place.buffer.engine.dispose(place.buffer);
  moves++;
}

/** Frees a Variable's buffer and forgets its value: for data that nobody will ask for again. */
export function discard(variable: Variable): void {
  const place = variable.residence;
  if (!(place instanceof Placed)) return;
  variable.residence = undefined;
  place.buffer.engine.dispose(place.buffer);
  moves++;
}

/** Frees a Variable for good: whoever asks for its value from now on gets DISPOSED. */
export function retire(variable: Variable): void {
  const place = variable.residence;
  variable.moveTo(new Gone(variable.name));
  if (place instanceof Placed) place.buffer.engine.dispose(place.buffer);
  moves++;
}
