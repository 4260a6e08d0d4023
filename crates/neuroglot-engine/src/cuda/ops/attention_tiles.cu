// Products of tiles in shared memory, in f32, which both passes of the attention share.
//
// A block works on TILE rows of one head at a time, WIDTH being the head width rounded up; both are defined in front
// of this program, which is compiled once per width. The 256 threads of a block form a grid of 16 x 16: the thread in
// row `gy` and column `gx` of it holds the rows gy * ROWS + i and the columns gx + 16 * j of a product. Columns 16
// apart share the bits of a dropout.

// Rows of a tile, and columns of the head, that a thread works on.
constexpr int ROWS = TILE / 16;
constexpr int COLUMNS = WIDTH / 16;
// Floats from a row to the next: four more than needed spread the rows over the banks of the shared memory.
constexpr int STRIDE = WIDTH + 4;
constexpr int WEIGHT_STRIDE = TILE + 4;

__device__ inline unsigned gx() { return threadIdx.x % 16; }
__device__ inline unsigned gy() { return threadIdx.x / 16; }

typedef float Element;

__device__ inline Element to_element(float value) { return value; }

// dots = a * transpose(b) of two tiles.
__device__ inline void dot_rows(const float *a, const float *b, float (&dots)[ROWS][ROWS]) {
    for (int i = 0; i < ROWS; ++i) {
        for (int j = 0; j < ROWS; ++j) {
            dots[i][j] = 0.0f;
        }
    }
    for (int k = 0; k < WIDTH; k += 4) {
        float4 left[ROWS];
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            left[i] = *(const float4 *)&a[(gy() * ROWS + i) * STRIDE + k];
        }
#pragma unroll
        for (int j = 0; j < ROWS; ++j) {
            float4 right = *(const float4 *)&b[(gx() + 16 * j) * STRIDE + k];
#pragma unroll
            for (int i = 0; i < ROWS; ++i) {
                dots[i][j] = fmaf(left[i].x, right.x, dots[i][j]);
                dots[i][j] = fmaf(left[i].y, right.y, dots[i][j]);
                dots[i][j] = fmaf(left[i].z, right.z, dots[i][j]);
                dots[i][j] = fmaf(left[i].w, right.w, dots[i][j]);
            }
        }
    }
}

// sums += weights [TILE, TILE] * tile.
__device__ inline void add_product(const float *weights, const float *tile, float (&sums)[ROWS][COLUMNS]) {
    for (int k = 0; k < TILE; k += 4) {
        float4 left[ROWS];
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            left[i] = *(const float4 *)&weights[(gy() * ROWS + i) * WEIGHT_STRIDE + k];
        }
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
            const float *right = &tile[k * STRIDE + gx() + 16 * j];
#pragma unroll
            for (int i = 0; i < ROWS; ++i) {
                sums[i][j] = fmaf(left[i].x, right[0], sums[i][j]);
                sums[i][j] = fmaf(left[i].y, right[STRIDE], sums[i][j]);
                sums[i][j] = fmaf(left[i].z, right[2 * STRIDE], sums[i][j]);
                sums[i][j] = fmaf(left[i].w, right[3 * STRIDE], sums[i][j]);
            }
        }
    }
}
