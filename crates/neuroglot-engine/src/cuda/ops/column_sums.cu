// Sums over rows in two stages: chunks of rows first, then, by the same kernel, the sums of the chunks.

#define SUM_COLUMNS 32
#define SUM_ROWS (THREADS / SUM_COLUMNS)

// Adds up what the threads of a block that share a column hold; the threads of row 0 receive the sums.
__device__ inline float sum_over_rows_of_block(float (*sums)[SUM_COLUMNS], float sum) {
    unsigned column = threadIdx.x % SUM_COLUMNS, row = threadIdx.x / SUM_COLUMNS;
    sums[row][column] = sum;
    __syncthreads();
    float total = 0.0f;
    if (row == 0) {
        for (int i = 0; i < SUM_ROWS; ++i) {
            total += sums[i][column];
        }
    }
    return total;
}

// sums[chunk][column] = sum of the chunk's rows of values [rows, width]. Grid: 32 columns by chunk of rows.
extern "C" __global__ void column_sums(const float *values, float *sums, unsigned rows, unsigned width,
                                       unsigned rows_per_chunk) {
    __shared__ float shared[SUM_ROWS][SUM_COLUMNS];
    unsigned column = blockIdx.x * SUM_COLUMNS + threadIdx.x % SUM_COLUMNS;
    unsigned first = blockIdx.y * rows_per_chunk;
    unsigned end = min(first + rows_per_chunk, rows);
    float sum = 0.0f;
    if (column < width) {
        for (unsigned row = first + threadIdx.x / SUM_COLUMNS; row < end; row += SUM_ROWS) {
            sum += values[(unsigned long long)row * width + column];
        }
    }
    float total = sum_over_rows_of_block(shared, sum);
    if (threadIdx.x < SUM_COLUMNS && column < width) {
        sums[(unsigned long long)blockIdx.y * width + column] = total;
    }
}
