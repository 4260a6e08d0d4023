// Elementwise dropout, eight elements per thread.

// First of the eight elements of this thread, 16 apart: those of one Philox block.
__device__ inline unsigned long long first_of_eight() {
    return thread_number() / 16 * 128 + thread_number() % 16;
}

// to = m * from; both may be the same. Grid: one thread per eight elements.
extern "C" __global__ void dropout(const float *from, float *to, unsigned long long length, Dropout dropout) {
    DropoutReader reader(dropout);
    unsigned long long first = first_of_eight();
    for (int i = 0; i < 8; ++i) {
        unsigned long long element = first + 16 * i;
        if (element < length) {
            to[element] = from[element] * reader.multiplier(element);
        }
    }
}

// y = x + m * y, where y holds the branch. Grid: one thread per eight elements.
extern "C" __global__ void residual(const float *x, float *y, unsigned long long length, Dropout dropout) {
    DropoutReader reader(dropout);
    unsigned long long first = first_of_eight();
    for (int i = 0; i < 8; ++i) {
        unsigned long long element = first + 16 * i;
        if (element < length) {
            y[element] = fmaf(y[element], reader.multiplier(element), x[element]);
        }
    }
}
