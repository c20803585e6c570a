// Steps of recurrent sequences; contracts in recurrence.h. Everything a step needs was just
// computed or comes in a stream, so what counts is arithmetic: five elementary functions for each
// unit of an LSTM, a third of the step's time at 128 units.

namespace myelin::MYELIN_LEVEL {
namespace {

// Lanes c .. of a row of `units`, zeros beyond its end.
MYELIN_INLINE Vec unit_lanes(const float* x, int64_t c, int64_t units) {
  return row_lanes(x, c, units, zero());
}
MYELIN_INLINE void copy_units(const float* x, int64_t units, float* out) {
  for (int64_t c = 0; c < units; c += kLanes) store_lanes(out, c, units, unit_lanes(x, c, units));
}
MYELIN_INLINE void clear_units(int64_t units, float* out) {
  for (int64_t c = 0; c < units; c += kLanes) store_lanes(out, c, units, zero());
}
// Derivatives from values.
MYELIN_INLINE Vec sigmoid_slope(Vec y) { return y * (broadcast(1.0f) - y); }
MYELIN_INLINE Vec tanh_slope(Vec y) { return fnma(y, y, broadcast(1.0f)); }

void lstm_step(const LstmStep& s) {
  const int64_t u = s.units;
  for (int64_t r = 0; r < s.rows; ++r) {
    float *h = s.h + r * u, *c = s.c + r * u, *gates = s.gates + r * s.z_row;
    float *y = s.y + r * s.y_row, *cells = s.cells + r * s.y_row;
    if (s.mask != nullptr && s.mask[r * s.mask_row] == 0) {
      copy_units(h, u, y);
      copy_units(c, u, cells);
      clear_units(4 * u, gates);
      continue;
    }
    const float *z = s.z + r * s.z_row, *p = s.product + r * 4 * u;
    for (int64_t k = 0; k < u; k += kLanes) {
      const Vec i = sigmoid(unit_lanes(z, k, u) + unit_lanes(p, k, u));
      const Vec f = sigmoid(unit_lanes(z + u, k, u) + unit_lanes(p + u, k, u));
      const Vec g = tanh(unit_lanes(z + 2 * u, k, u) + unit_lanes(p + 2 * u, k, u));
      const Vec o = sigmoid(unit_lanes(z + 3 * u, k, u) + unit_lanes(p + 3 * u, k, u));
      const Vec next = fma(f, unit_lanes(c, k, u), i * g);
      const Vec out = o * tanh(next);
      store_lanes(gates, k, u, i);
      store_lanes(gates + u, k, u, f);
      store_lanes(gates + 2 * u, k, u, g);
      store_lanes(gates + 3 * u, k, u, o);
      store_lanes(c, k, u, next);
      store_lanes(cells, k, u, next);
      store_lanes(h, k, u, out);
      store_lanes(y, k, u, out);
    }
  }
}

void lstm_step_grad(const LstmStepGrad& s) {
  const int64_t u = s.units;
  for (int64_t r = 0; r < s.rows; ++r) {
    float *dh = s.dh + r * u, *dc = s.dc + r * u;
    float *dz = s.dz + r * s.z_row, *dense = s.dz_dense + r * 4 * u;
    const float* dy = s.dy == nullptr ? nullptr : s.dy + r * s.y_row;
    if (s.mask != nullptr && s.mask[r * s.mask_row] == 0) {
      for (int64_t k = 0; dy != nullptr && k < u; k += kLanes) {
        store_lanes(dh, k, u, unit_lanes(dh, k, u) + unit_lanes(dy, k, u));
      }
      clear_units(4 * u, dz);
      clear_units(4 * u, dense);
      continue;
    }
    const float *gates = s.gates + r * s.z_row, *cells = s.cells + r * s.y_row;
    const float* before = s.before + r * s.before_row;
    for (int64_t k = 0; k < u; k += kLanes) {
      const Vec i = unit_lanes(gates, k, u), f = unit_lanes(gates + u, k, u);
      const Vec g = unit_lanes(gates + 2 * u, k, u), o = unit_lanes(gates + 3 * u, k, u);
      Vec by_h = unit_lanes(dh, k, u);
      if (dy != nullptr) by_h = by_h + unit_lanes(dy, k, u);
      const Vec squashed = tanh(unit_lanes(cells, k, u));
      const Vec by_c = fma(by_h * o, tanh_slope(squashed), unit_lanes(dc, k, u));
      const Vec di = by_c * g * sigmoid_slope(i);
      const Vec df = by_c * unit_lanes(before, k, u) * sigmoid_slope(f);
      const Vec dg = by_c * i * tanh_slope(g);
      const Vec d_o = by_h * squashed * sigmoid_slope(o);
      store_lanes(dz, k, u, di);
      store_lanes(dz + u, k, u, df);
      store_lanes(dz + 2 * u, k, u, dg);
      store_lanes(dz + 3 * u, k, u, d_o);
      store_lanes(dense, k, u, di);
      store_lanes(dense + u, k, u, df);
      store_lanes(dense + 2 * u, k, u, dg);
      store_lanes(dense + 3 * u, k, u, d_o);
      store_lanes(dc, k, u, by_c * f);
      store_lanes(dh, k, u, zero());
    }
  }
}

void gru_step(const GruStep& s) {
  const int64_t u = s.units;
  for (int64_t r = 0; r < s.rows; ++r) {
    float *h = s.h + r * u, *gates = s.gates + r * s.x_row;
    float *y = s.y + r * s.y_row, *inner = s.inner + r * s.y_row;
    if (s.mask != nullptr && s.mask[r * s.mask_row] == 0) {
      copy_units(h, u, y);
      clear_units(u, inner);
      clear_units(3 * u, gates);
      continue;
    }
    const float *x = s.x + r * s.x_row, *p = s.product + r * 3 * u;
    for (int64_t k = 0; k < u; k += kLanes) {
      const Vec mz = unit_lanes(p, k, u) + unit_lanes(s.bias, k, u);
      const Vec mr = unit_lanes(p + u, k, u) + unit_lanes(s.bias + u, k, u);
      const Vec mg = unit_lanes(p + 2 * u, k, u) + unit_lanes(s.bias + 2 * u, k, u);
      const Vec z = sigmoid(unit_lanes(x, k, u) + mz);
      const Vec q = sigmoid(unit_lanes(x + u, k, u) + mr);
      const Vec g = tanh(fma(q, mg, unit_lanes(x + 2 * u, k, u)));
      const Vec next = fma(z, unit_lanes(h, k, u), (broadcast(1.0f) - z) * g);
      store_lanes(gates, k, u, z);
      store_lanes(gates + u, k, u, q);
      store_lanes(gates + 2 * u, k, u, g);
      store_lanes(inner, k, u, mg);
      store_lanes(h, k, u, next);
      store_lanes(y, k, u, next);
    }
  }
}

void gru_step_grad(const GruStepGrad& s) {
  const int64_t u = s.units;
  for (int64_t r = 0; r < s.rows; ++r) {
    float *dh = s.dh + r * u, *dx = s.dx + r * s.x_row, *dm = s.dm + r * s.x_row;
    float* dense = s.dm_dense + r * 3 * u;
    const float* dy = s.dy == nullptr ? nullptr : s.dy + r * s.y_row;
    if (s.mask != nullptr && s.mask[r * s.mask_row] == 0) {
      for (int64_t k = 0; dy != nullptr && k < u; k += kLanes) {
        store_lanes(dh, k, u, unit_lanes(dh, k, u) + unit_lanes(dy, k, u));
      }
      clear_units(3 * u, dx);
      clear_units(3 * u, dm);
      clear_units(3 * u, dense);
      continue;
    }
    const float *gates = s.gates + r * s.x_row, *inner = s.inner + r * s.y_row;
    const float* before = s.before + r * s.before_row;
    for (int64_t k = 0; k < u; k += kLanes) {
      const Vec z = unit_lanes(gates, k, u), q = unit_lanes(gates + u, k, u);
      const Vec g = unit_lanes(gates + 2 * u, k, u);
      Vec by_h = unit_lanes(dh, k, u);
      if (dy != nullptr) by_h = by_h + unit_lanes(dy, k, u);
      const Vec by_g = by_h * (broadcast(1.0f) - z) * tanh_slope(g);
      const Vec by_z = by_h * (unit_lanes(before, k, u) - g) * sigmoid_slope(z);
      const Vec by_r = by_g * unit_lanes(inner, k, u) * sigmoid_slope(q);
      const Vec through = by_g * q;
      store_lanes(dx, k, u, by_z);
      store_lanes(dx + u, k, u, by_r);
      store_lanes(dx + 2 * u, k, u, by_g);
      store_lanes(dm, k, u, by_z);
      store_lanes(dm + u, k, u, by_r);
      store_lanes(dm + 2 * u, k, u, through);
      store_lanes(dense, k, u, by_z);
      store_lanes(dense + u, k, u, by_r);
      store_lanes(dense + 2 * u, k, u, through);
      store_lanes(dh, k, u, by_h * z);
    }
  }
}

void rnn_step(const RnnStep& s) {
  const int64_t u = s.units;
  for (int64_t r = 0; r < s.rows; ++r) {
    float *h = s.h + r * u, *y = s.y + r * s.z_row;
    if (s.mask != nullptr && s.mask[r * s.mask_row] == 0) {
      copy_units(h, u, y);
      continue;
    }
    const float *z = s.z + r * s.z_row, *p = s.product + r * u;
    for (int64_t k = 0; k < u; k += kLanes) {
      const Vec next = tanh(unit_lanes(z, k, u) + unit_lanes(p, k, u));
      store_lanes(h, k, u, next);
      store_lanes(y, k, u, next);
    }
  }
}

void rnn_step_grad(const RnnStepGrad& s) {
  const int64_t u = s.units;
  for (int64_t r = 0; r < s.rows; ++r) {
    float *dh = s.dh + r * u, *dz = s.dz + r * s.z_row, *dense = s.dz_dense + r * u;
    const float *y = s.y + r * s.z_row, *dy = s.dy == nullptr ? nullptr : s.dy + r * s.z_row;
    const bool counts = s.mask == nullptr || s.mask[r * s.mask_row] != 0;
    for (int64_t k = 0; k < u; k += kLanes) {
      Vec by_h = unit_lanes(dh, k, u);
      if (dy != nullptr) by_h = by_h + unit_lanes(dy, k, u);
      const Vec by_z = counts ? by_h * tanh_slope(unit_lanes(y, k, u)) : zero();
      store_lanes(dz, k, u, by_z);
      store_lanes(dense, k, u, by_z);
      store_lanes(dh, k, u, counts ? zero() : by_h);
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
