// Runs the kernels on a CPU, for tests: one block after the other, its threads as coroutines that change at barriers
// and shuffles. Shared memory starts as NaN, and threads can run in either order, so that a missing barrier shows.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <vector>

#define __device__
#define __global__
#define __launch_bounds__(threads)
#define __shared__ static thread_local
#define DYNAMIC_SHARED(name) float4 *name = (float4 *)host::block.shared.data()

struct alignas(16) float4 {
    float x, y, z, w;
};

struct Index {
    unsigned x, y, z;
};

static thread_local Index threadIdx, blockIdx;

namespace host {

const unsigned WARP_SIZE = 32;
const unsigned MOST_THREADS = 1024;
const size_t STACK_BYTES = 64 << 10;

struct Barrier {
    unsigned arrived = 0, generation = 0;
};

struct Block {
    unsigned threads = 0, current = 0;
    bool moved = false;
    ucontext_t scheduler, contexts[MOST_THREADS];
    bool done[MOST_THREADS];
    std::vector<char> stacks;
    std::vector<float4> shared;
    Barrier barrier, warps[MOST_THREADS / WARP_SIZE];
    uint64_t exchanged[2][MOST_THREADS];
    float factors[2][MOST_THREADS][6];
    void (*kernel)(void **) = nullptr;
    void **arguments = nullptr;
};

static thread_local Block block;

inline void wait(Barrier &barrier, unsigned count) {
    unsigned generation = barrier.generation;
    block.moved = true;
    if (++barrier.arrived == count) {
        barrier.arrived = 0;
        ++barrier.generation;
        return;
    }
    while (barrier.generation == generation) {
        swapcontext(&block.contexts[block.current], &block.scheduler);
    }
}

inline void thread_body() {
    block.kernel(block.arguments);
    block.done[block.current] = true;
    block.moved = true;
}

inline void run_block(bool reversed) {
    for (unsigned thread = 0; thread < block.threads; ++thread) {
        ucontext_t &context = block.contexts[thread];
        getcontext(&context);
        context.uc_stack.ss_sp = block.stacks.data() + thread * STACK_BYTES;
        context.uc_stack.ss_size = STACK_BYTES;
        context.uc_link = &block.scheduler;
        makecontext(&context, thread_body, 0);
        block.done[thread] = false;
    }
    for (unsigned left = block.threads; left > 0;) {
        block.moved = false;
        for (unsigned i = 0; i < block.threads; ++i) {
            unsigned thread = reversed ? block.threads - 1 - i : i;
            if (block.done[thread]) {
                continue;
            }
            block.current = thread;
            threadIdx = Index{thread, 0, 0};
            swapcontext(&block.scheduler, &block.contexts[thread]);
            left -= block.done[thread];
        }
        if (!block.moved) {
            fprintf(stderr, "threads of a block wait for others that ended\n");
            abort();
        }
    }
}

} // namespace host

inline void __syncthreads() { host::wait(host::block.barrier, host::block.threads); }

template <typename Number> Number __shfl_xor_sync(unsigned, Number value, int distance) {
    unsigned thread = host::block.current;
    host::Barrier &warp = host::block.warps[thread / host::WARP_SIZE];
    // Two places in turns: a thread may be at the next shuffle before all have read.
    uint64_t *places = host::block.exchanged[warp.generation % 2];
    memcpy(&places[thread], &value, sizeof value);
    host::wait(warp, host::WARP_SIZE);
    memcpy(&value, &places[thread ^ distance], sizeof value);
    return value;
}

// The warp's part of `tensor_core.cu`. Factors are not rounded to TF32 here: that would hide mistakes in their places.
#define TENSOR_CORE_ON_HOST

inline float to_tf32(float value) { return value; }

// The six words of each lane, once all lanes of the warp have given theirs.
template <typename Word> auto factors_of_warp(const Word (&a)[4], const Word (&b)[2]) {
    unsigned thread = host::block.current, lane = thread % host::WARP_SIZE;
    host::Barrier &warp = host::block.warps[thread / host::WARP_SIZE];
    float(*all)[6] = &host::block.factors[warp.generation % 2][thread - lane];
    memcpy(&all[lane][0], a, sizeof a);
    memcpy(&all[lane][4], b, sizeof b);
    host::wait(warp, host::WARP_SIZE);
    return all;
}

inline void multiply_add(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
    unsigned lane = host::block.current % host::WARP_SIZE;
    auto all = factors_of_warp(a, b);
    for (unsigned i = 0; i < 4; ++i) {
        unsigned row = lane / 4 + i / 2 * 8, column = 2 * (lane % 4) + i % 2;
        for (unsigned k = 0; k < 8; ++k) {
            float left = all[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2];
            float right = all[column * 4 + k % 4][4 + k / 4];
            c[i] = fmaf(left, right, c[i]);
        }
    }
}

inline unsigned pack_bfloat16(float low, float high) {
    unsigned bits[2];
    memcpy(&bits[0], &low, sizeof low);
    memcpy(&bits[1], &high, sizeof high);
    for (unsigned &word : bits) {
        word = (word + 0x7fffu + (word >> 16 & 1u)) >> 16;
    }
    return bits[0] | bits[1] << 16;
}

inline void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    unsigned lane = host::block.current % host::WARP_SIZE;
    auto all = factors_of_warp(a, b);
    auto number = [&](unsigned of_lane, unsigned place, unsigned half) {
        unsigned bits;
        memcpy(&bits, &all[of_lane][place], sizeof bits);
        bits = bits >> 16 * half << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    };
    for (unsigned i = 0; i < 4; ++i) {
        unsigned row = lane / 4 + i / 2 * 8, column = 2 * (lane % 4) + i % 2;
        for (unsigned k = 0; k < 16; ++k) {
            float left = number(row % 8 * 4 + k % 8 / 2, row / 8 + k / 8 * 2, k % 2);
            float right = number(column * 4 + k % 8 / 2, 4 + k / 8, k % 2);
            c[i] = fmaf(left, right, c[i]);
        }
    }
}

inline void load_transposed(unsigned (&matrices)[4], const unsigned short *row) {
    unsigned thread = host::block.current, lane = thread % host::WARP_SIZE;
    host::Barrier &warp = host::block.warps[thread / host::WARP_SIZE];
    uint64_t *rows = &host::block.exchanged[warp.generation % 2][thread - lane];
    rows[lane] = (uint64_t)row;
    if (rows[lane] % 16 != 0) {
        fprintf(stderr, "a row of a matrix does not begin on 16 bytes\n");
        abort();
    }
    host::wait(warp, host::WARP_SIZE);
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned short *low = (const unsigned short *)rows[8 * i + 2 * (lane % 4)];
        const unsigned short *high = (const unsigned short *)rows[8 * i + 2 * (lane % 4) + 1];
        matrices[i] = low[lane / 4] | (unsigned)high[lane / 4] << 16;
    }
}

template <typename Number> Number min(Number a, Number b) { return b < a ? b : a; }

inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }

inline float __int_as_float(int bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

inline float __uint_as_float(unsigned bits) { return __int_as_float((int)bits); }

inline unsigned __float_as_uint(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

extern "C" void run_on_host(void (*kernel)(void **), void **arguments, unsigned blocks_x, unsigned blocks_y,
                            unsigned threads, size_t shared_bytes, bool reversed) {
    using host::block;
    block.kernel = kernel;
    block.arguments = arguments;
    block.threads = threads;
    block.stacks.resize(threads * host::STACK_BYTES);
    for (unsigned y = 0; y < blocks_y; ++y) {
        for (unsigned x = 0; x < blocks_x; ++x) {
            blockIdx = Index{x, y, 0};
            block.shared.assign(shared_bytes / sizeof(float4), float4{NAN, NAN, NAN, NAN});
            host::run_block(reversed);
        }
    }
}
