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

// Columns of a thread, and of a block, in what follows.
#define NORM_COLUMNS 4
#define NORM_SLICE (NORM_COLUMNS * THREADS)
#define WARPS (THREADS / WARP)

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
            // All is read before anything is written, so that no read waits.
            float n_of_row[WARPS], dy_of_row[WARPS], dn_of_row[WARPS];
#pragma unroll
            for (int i = 0; i < WARPS; ++i) {
                unsigned row = min(first + i, end - 1);
                unsigned long long place = (unsigned long long)row * width + column;
                n_of_row[i] = (x[place] - statistics[2 * row]) * statistics[2 * row + 1];
                dy_of_row[i] = dy[place];
                dn_of_row[i] = dx[place];
            }
#pragma unroll
            for (int i = 0; i < WARPS; ++i) {
                unsigned row = first + i;
                if (row < end) {
                    float n = n_of_row[i], change = dy_of_row[i] * gain[column] - means_of_g[i] - n * means_of_gn[i];
                    dx[(unsigned long long)row * width + column] = dn_of_row[i] + statistics[2 * row + 1] * change;
                    gain_sum[j] += dy_of_row[i] * n;
                    bias_sum[j] += dy_of_row[i];
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
