// What every kernel of this folder builds on. All files are compiled as one program, this one first.
//
// Conventions: matrices are row-major; every block has 256 threads in a row; no kernel adds with atomics, so that
// equal inputs give equal bits.

// A build that is not for a device defines how a block gets its shared memory before this line.
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ float4 name[]
#endif

#define THREADS 256
#define WARP 32
#define ALL_LANES 0xffffffffu

// Rounded to bf16, to nearest even. Written out so that no header of the toolkit is needed.
__device__ inline unsigned short to_bfloat16_bits(float value) {
    unsigned bits = __float_as_uint(value);
    bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    unsigned rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (unsigned short)(is_nan ? 0x7fffu : rounded);
}

// Rows of `width` numbers: floats, or factors of products in bf16, a row of which lies at the front of the room that its
// floats would take.
struct Numbers {
    void *values;
    unsigned width;
    unsigned is_bfloat16;

    __device__ unsigned long long place(unsigned long long row, unsigned column) const {
        return row * (is_bfloat16 ? 2 * width : width) + column;
    }

    __device__ float at(unsigned long long row, unsigned column) const {
        if (is_bfloat16) {
            return __uint_as_float((unsigned)((const unsigned short *)values)[place(row, column)] << 16);
        }
        return ((const float *)values)[place(row, column)];
    }

    __device__ void set(unsigned long long row, unsigned column, float value) const {
        if (is_bfloat16) {
            ((unsigned short *)values)[place(row, column)] = to_bfloat16_bits(value);
        } else {
            ((float *)values)[place(row, column)] = value;
        }
    }
};

// Number of this thread in the whole grid.
__device__ inline unsigned long long thread_number() {
    return (unsigned long long)blockIdx.x * THREADS + threadIdx.x;
}

// Row of this thread's warp, for kernels with one warp per row.
__device__ inline unsigned row_of_warp() {
    return (unsigned)(thread_number() / WARP);
}

// Sum over `lanes` neighbouring threads, a power of two up to a warp; all of them receive it.
template <typename Number> __device__ inline Number sum_over_lanes(Number value, int lanes) {
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, distance);
    }
    return value;
}

// Maximum over `lanes` neighbouring threads; all of them receive it.
__device__ inline float maximum_over_lanes(float value, int lanes) {
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
        value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, distance));
    }
    return value;
}

// Sum over the block in f64, in an order that depends on the thread numbers only; thread 0 receives it.
__device__ inline double sum_over_block(double value) {
    __shared__ double warps[THREADS / WARP];
    value = sum_over_lanes(value, WARP);
    if (threadIdx.x % WARP == 0) {
        warps[threadIdx.x / WARP] = value;
    }
    __syncthreads();
    double sum = 0.0;
    if (threadIdx.x == 0) {
        for (int warp = 0; warp < THREADS / WARP; ++warp) {
            sum += warps[warp];
        }
    }
    return sum;
}
