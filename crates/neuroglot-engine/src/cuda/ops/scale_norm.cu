// y = gain * x / max(||x||, 1e-5) per row, and its gradients.

#define SMALLEST_NORM 1e-5f

// Grid: one warp per row. statistics [rows, 2] receives 1 / ||x||.
extern "C" __global__ void scale_norm(const float *x, const float *gain, Numbers y, float *statistics,
                                      unsigned rows) {
    unsigned row = row_of_warp(), lane = threadIdx.x % WARP, width = y.width;
    if (row >= rows) {
        return;
    }
    x += (unsigned long long)row * width;
    float squares = 0.0f;
    for (unsigned i = lane; i < width; i += WARP) {
        squares += x[i] * x[i];
    }
    float inverse = 1.0f / fmaxf(sqrtf(sum_over_lanes(squares, WARP)), SMALLEST_NORM);
    float scale = gain[0] * inverse;
    for (unsigned i = lane; i < width; i += WARP) {
        y.set(row, i, x[i] * scale);
    }
    if (lane == 0) {
        statistics[2 * row] = inverse;
    }
}

// dx += gain / ||x|| * (dy - n * (n.dy)), n = x / ||x||; statistics receives n.dy. Grid: one warp per row.
extern "C" __global__ void scale_norm_backward(const float *x, const float *gain, float *statistics,
                                               const float *dy, float *dx, unsigned rows, unsigned width) {
    unsigned row = row_of_warp(), lane = threadIdx.x % WARP;
    if (row >= rows) {
        return;
    }
    x += (unsigned long long)row * width;
    dy += (unsigned long long)row * width;
    dx += (unsigned long long)row * width;
    float inverse = statistics[2 * row];
    float products = 0.0f;
    for (unsigned i = lane; i < width; i += WARP) {
        products += x[i] * dy[i];
    }
    float along = sum_over_lanes(products, WARP) * inverse;
    for (unsigned i = lane; i < width; i += WARP) {
        dx[i] += gain[0] * inverse * (dy[i] - x[i] * inverse * along);
    }
    if (lane == 0) {
        statistics[2 * row + 1] = along;
    }
}

// gain_gradient = sum over rows of n.dy. Grid: one block.
extern "C" __global__ void scale_norm_gain(const float *statistics, float *gain_gradient, unsigned rows) {
    double sum = 0.0;
    for (unsigned row = threadIdx.x; row < rows; row += THREADS) {
        sum += statistics[2 * row + 1];
    }
    double total = sum_over_block(sum);
    if (threadIdx.x == 0) {
        gain_gradient[0] = (float)total;
    }
}
