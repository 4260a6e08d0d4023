// y = (x - mean) * r * gain + bias per row, r = 1 / sqrt(variance + 1e-5), and its gradients.

#define LAYER_NORM_EPSILON 1e-5f

// Grid: one warp per row. statistics [rows, 2] receives mean and r.
extern "C" __global__ void layer_norm(const float *x, const float *gain, const float *bias, Numbers y,
                                      float *statistics, unsigned rows) {
    unsigned row = row_of_warp(), lane = threadIdx.x % WARP, width = y.width;
    if (row >= rows) {
        return;
    }
    x += (unsigned long long)row * width;
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
        y.set(row, i, fmaf((x[i] - mean) * r, gain[i], bias[i]));
    }
    if (lane == 0) {
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = r;
    }
}

// Columns of a thread, and of a block, in what follows.
#define NORM_COLUMNS 4
#define NORM_SLICE (NORM_COLUMNS * THREADS)
#define WARPS (THREADS / WARP)
#define ROWS_AT_ONCE 4

// dx += r * (g - mean(g) - n * mean(g * n)), n = (x - mean) * r, g = dy * gain; and the sums over a chunk of rows of dy * n and
// of dy, each [chunks, width], which x and dy are at hand for. Each warp takes the means of a row, then all threads the
// columns of these rows. Grid: chunk of rows by NORM_SLICE columns.
extern "C" __global__ void layer_norm_backward(const float *x, const float *gain, const float *statistics,
                                               const float *dy, float *dx, float *gain_sums, float *bias_sums,
                                               unsigned rows, unsigned width, unsigned rows_per_chunk) {
    __shared__ float means_of_g[WARPS], means_of_gn[WARPS];
    unsigned warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    unsigned first = blockIdx.x * rows_per_chunk, end = min(first + rows_per_chunk, rows);
    unsigned first_column = blockIdx.y * NORM_SLICE + threadIdx.x;
    float gain_sum[NORM_COLUMNS] = {}, bias_sum[NORM_COLUMNS] = {};
    for (; first < end; first += WARPS) {
        __syncthreads();
        if (first + warp < end) {
            unsigned row = first + warp;
            const float *x_row = x + (unsigned long long)row * width, *dy_row = dy + (unsigned long long)row * width;
            float mean = statistics[2 * row], r = statistics[2 * row + 1], sum = 0.0f, products = 0.0f;
            for (unsigned i = lane; i < width; i += WARP) {
                float g = dy_row[i] * gain[i];
                sum += g;
                products += g * ((x_row[i] - mean) * r);
            }
            sum = sum_over_lanes(sum, WARP);
            products = sum_over_lanes(products, WARP);
            if (lane == 0) {
                means_of_g[warp] = sum / width;
                means_of_gn[warp] = products / width;
            }
        }
        __syncthreads();
#pragma unroll
        for (int j = 0; j < NORM_COLUMNS; ++j) {
            unsigned column = first_column + j * THREADS;
            if (column >= width) {
                break;
            }
            // Several rows are read before any is written, so that no read waits.
#pragma unroll 1
            for (int at = 0; at < WARPS; at += ROWS_AT_ONCE) {
                unsigned long long place = (unsigned long long)(first + at) * width + column;
                float x_of_row[ROWS_AT_ONCE], dy_of_row[ROWS_AT_ONCE], dx_of_row[ROWS_AT_ONCE];
#pragma unroll
                for (int i = 0; i < ROWS_AT_ONCE; ++i) {
                    if (first + at + i < end) {
                        x_of_row[i] = x[place + i * width];
                        dy_of_row[i] = dy[place + i * width];
                        dx_of_row[i] = dx[place + i * width];
                    }
                }
#pragma unroll
                for (int i = 0; i < ROWS_AT_ONCE; ++i) {
                    unsigned row = first + at + i;
                    if (row < end) {
                        float r = statistics[2 * row + 1], n = (x_of_row[i] - statistics[2 * row]) * r;
                        float g = dy_of_row[i] * gain[column];
                        dx[place + i * width] = dx_of_row[i] + r * (g - means_of_g[at + i] - n * means_of_gn[at + i]);
                        gain_sum[j] += dy_of_row[i] * n;
                        bias_sum[j] += dy_of_row[i];
                    }
                }
            }
        }
    }
#pragma unroll
    for (int j = 0; j < NORM_COLUMNS; ++j) {
        unsigned column = first_column + j * THREADS;
        if (column < width) {
            gain_sums[(unsigned long long)blockIdx.x * width + column] = gain_sum[j];
            bias_sums[(unsigned long long)blockIdx.x * width + column] = bias_sum[j];
        }
    }
}
