// Sums over rows in two stages: chunks of rows first, then, by the same kernel, the sums of the chunks.

#define SUM_COLUMNS 32
#define SUM_ROWS (THREADS / SUM_COLUMNS)

// sums[chunk][column] = sum of the chunk's rows of values [rows, width]. Grid: 32 columns by chunk of rows.
extern "C" __global__ void column_sums(Numbers values, float *sums, unsigned rows, unsigned rows_per_chunk) {
    __shared__ float shared[SUM_ROWS][SUM_COLUMNS];
    unsigned column = blockIdx.x * SUM_COLUMNS + threadIdx.x % SUM_COLUMNS, width = values.width;
    unsigned first = blockIdx.y * rows_per_chunk;
    unsigned end = min(first + rows_per_chunk, rows);
    float sum = 0.0f;
    if (column < width) {
        for (unsigned row = first + threadIdx.x / SUM_COLUMNS; row < end; row += SUM_ROWS) {
            sum += values.at(row, column);
        }
    }
    shared[threadIdx.x / SUM_COLUMNS][threadIdx.x % SUM_COLUMNS] = sum;
    __syncthreads();
    if (threadIdx.x < SUM_COLUMNS && column < width) {
        float total = 0.0f;
        for (int i = 0; i < SUM_ROWS; ++i) {
            total += shared[i][threadIdx.x];
        }
        sums[(unsigned long long)blockIdx.y * width + column] = total;
    }
}
