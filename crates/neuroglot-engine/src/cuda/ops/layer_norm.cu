// y = (x - mean) * r * gain + bias per row, r = 1 / sqrt(variance + 1e-5), and its gradients.

#define LAYER_NORM_EPSILON 1e-5f

// Row of this thread's warp, for kernels with one warp per row.
__device__ inline unsigned row_of_warp() {
    return (unsigned)(thread_number() / WARP);
}

// Grid: one warp per row. statistics [rows, 2] receives mean and r.
extern "C" __global__ void layer_norm(const float *x, const float *gain, const float *bias, float *y,
                                      float *statistics, unsigned rows, unsigned width) {
    unsigned row = row_of_warp(), lane = threadIdx.x % WARP;
    if (row >= rows) {
        return;
    }
    x += (unsigned long long)row * width;
    y += (unsigned long long)row * width;
    float sum = 0.0f;
    for (unsigned i = lane; i < width; i += WARP) {
        sum += x[i];
    }
    float mean = sum_over_lanes(sum, WARP) / width;
    float squares = 0.0f;
    for (unsigned i = lane; i < width; i += WARP) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    float r = 1.0f / sqrtf(sum_over_lanes(squares, WARP) / width + LAYER_NORM_EPSILON);
    for (unsigned i = lane; i < width; i += WARP) {
        y[i] = fmaf((x[i] - mean) * r, gain[i], bias[i]);
    }
    if (lane == 0) {
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = r;
    }
}

// dx += r * (g - mean(g) - n * mean(g * n)), n = (x - mean) * r, g = dy * gain. Grid: one warp per row.
extern "C" __global__ void layer_norm_backward(const float *x, const float *gain, const float *statistics,
                                               const float *dy, float *dx, unsigned rows, unsigned width) {
    unsigned row = row_of_warp(), lane = threadIdx.x % WARP;
    if (row >= rows) {
        return;
    }
    x += (unsigned long long)row * width;
    dy += (unsigned long long)row * width;
    dx += (unsigned long long)row * width;
    float mean = statistics[2 * row], r = statistics[2 * row + 1];
    float sum = 0.0f, products = 0.0f;
    for (unsigned i = lane; i < width; i += WARP) {
        float g = dy[i] * gain[i];
        sum += g;
        products += g * ((x[i] - mean) * r);
    }
    float mean_g = sum_over_lanes(sum, WARP) / width;
    float mean_gn = sum_over_lanes(products, WARP) / width;
    for (unsigned i = lane; i < width; i += WARP) {
        float n = (x[i] - mean) * r;
        dx[i] += r * (dy[i] * gain[i] - mean_g - n * mean_gn);
    }
}

// Sums over a chunk of rows of dy * n and of dy, each [chunks, width]. Grid: 32 columns by chunk of rows.
extern "C" __global__ void layer_norm_sums(const float *x, const float *statistics, const float *dy,
                                           float *gain_sums, float *bias_sums, unsigned rows, unsigned width,
                                           unsigned rows_per_chunk) {
    __shared__ float shared_gain[SUM_ROWS][SUM_COLUMNS], shared_bias[SUM_ROWS][SUM_COLUMNS];
    unsigned column = blockIdx.x * SUM_COLUMNS + threadIdx.x % SUM_COLUMNS;
    unsigned first = blockIdx.y * rows_per_chunk;
    unsigned end = min(first + rows_per_chunk, rows);
    float gain_sum = 0.0f, bias_sum = 0.0f;
    if (column < width) {
        for (unsigned row = first + threadIdx.x / SUM_COLUMNS; row < end; row += SUM_ROWS) {
            unsigned long long i = (unsigned long long)row * width + column;
            gain_sum += dy[i] * ((x[i] - statistics[2 * row]) * statistics[2 * row + 1]);
            bias_sum += dy[i];
        }
    }
    float gain_total = sum_over_rows_of_block(shared_gain, gain_sum);
    float bias_total = sum_over_rows_of_block(shared_bias, bias_sum);
    if (threadIdx.x < SUM_COLUMNS && column < width) {
        unsigned long long i = (unsigned long long)blockIdx.y * width + column;
        gain_sums[i] = gain_total;
        bias_sums[i] = bias_total;
    }
}
