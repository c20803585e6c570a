// Contracts of one step of a recurrent sequence, for some rows of the batch: what is left of it
// when the product with the recurrent kernel is done. U is `units`. Operands with a *_row are rows
// that many floats apart (a step of [B, T, n] has rows T * n apart); the others are dense. `mask`
// has a byte for each row, mask_row apart; null means that every row counts. Rows are independent.
// Equations are those of src/ops/lstm.ts, gru.ts and simple-rnn.ts.
#ifndef MYELIN_KERNELS_RECURRENCE_H_
#define MYELIN_KERNELS_RECURRENCE_H_

#include <cstdint>

namespace myelin {

// h and c become those after the step and are copied to y and cells; gates [4U] are i, f, g, o,
// zeros where masked, and may be z.
struct LstmStep {
  int64_t rows, units;
  const float* z;  // [4U], from the inputs
  float* gates;
  int64_t z_row;         // of z and gates
  const float* product;  // [4U] dense: h times the recurrent kernel
  const uint8_t* mask;
  int64_t mask_row;
  float *h, *c;  // [U] dense
  float *y, *cells;
  int64_t y_row;  // of y and cells
};
using LstmStepKernel = void(const LstmStep& step);

// In: dh and dc by the state after the step, dy (or null) besides. Out: dz, also dense for the
// product that is still to be added to dh; dc by the c before; dh as far as it does not go through
// that product (zeros where the row counts). dz may be gates.
struct LstmStepGrad {
  int64_t rows, units;
  const float* gates;
  float* dz;
  int64_t z_row;       // of gates and dz
  float* dz_dense;     // [4U] dense
  const float* cells;  // c after the step
  const float* dy;
  int64_t y_row;  // of cells and dy
  const float* before;
  int64_t before_row;  // c before the step
  const uint8_t* mask;
  int64_t mask_row;
  float *dh, *dc;  // [U] dense
};
using LstmStepGradKernel = void(const LstmStepGrad& step);

// h becomes that after the step and is copied to y. gates [3U] are z, r, g and may be x; inner [U]
// is the third part of m; both are zeros where masked.
struct GruStep {
  int64_t rows, units;
  const float* x;  // [3U], from the inputs
  float* gates;
  int64_t x_row;         // of x and gates
  const float* product;  // [3U] dense: h times the recurrent kernel
  const float* bias;     // [3U], the same for all rows
  const uint8_t* mask;
  int64_t mask_row;
  float* h;  // [U] dense
  float *y, *inner;
  int64_t y_row;  // of y and inner
};
using GruStepKernel = void(const GruStep& step);

// As LstmStepGrad: dx and dm by the two sums, dm also dense for the product that is still to be
// added to dh. dx may be gates.
struct GruStepGrad {
  int64_t rows, units;
  const float* gates;
  float *dx, *dm;
  int64_t x_row;    // of gates, dx and dm
  float* dm_dense;  // [3U] dense
  const float* inner;
  const float* dy;
  int64_t y_row;  // of inner and dy
  const float* before;
  int64_t before_row;  // h before the step
  const uint8_t* mask;
  int64_t mask_row;
  float* dh;  // [U] dense
};
using GruStepGradKernel = void(const GruStepGrad& step);

// h becomes tanh(z + product) and is copied to y, which may be z.
struct RnnStep {
  int64_t rows, units;
  const float* z;
  float* y;
  int64_t z_row;         // of z and y
  const float* product;  // [U] dense
  const uint8_t* mask;
  int64_t mask_row;
  float* h;  // [U] dense
};
using RnnStepKernel = void(const RnnStep& step);

// As LstmStepGrad. dz may be y.
struct RnnStepGrad {
  int64_t rows, units;
  const float* y;
  const float* dy;
  float* dz;
  int64_t z_row;    // of y, dy and dz
  float* dz_dense;  // [U] dense
  const uint8_t* mask;
  int64_t mask_row;
  float* dh;  // [U] dense
};
using RnnStepGradKernel = void(const RnnStepGrad& step);

}  // namespace myelin

#endif  // MYELIN_KERNELS_RECURRENCE_H_
