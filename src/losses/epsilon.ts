// The one small number of losses and metrics.

/** Keeps logarithms and quotients finite: Keras's `backend.epsilon()`. */
export const EPSILON = 1e-7;
