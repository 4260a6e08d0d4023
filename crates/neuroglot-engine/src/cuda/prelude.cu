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

// Number of this thread in the whole grid.
__device__ inline unsigned long long thread_number() {
    return (unsigned long long)blockIdx.x * THREADS + threadIdx.x;
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
