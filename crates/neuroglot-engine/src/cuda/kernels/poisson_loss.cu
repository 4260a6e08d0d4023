// Sum over target entries of exp(l) - y * l, in f64 by blocks, then over the blocks.

// Elements of a block: sixteen per thread.
#define LOSS_ELEMENTS (16 * THREADS)

// gradient = target * (exp(l) - y); sums receives one number per block. Grid: one block per LOSS_ELEMENTS elements.
extern "C" __global__ void poisson_loss(const float *log_rates, const float *counts, const float *target,
                                        float *gradient, double *sums, unsigned long long length) {
    unsigned long long first = (unsigned long long)blockIdx.x * LOSS_ELEMENTS;
    unsigned long long end = min(first + LOSS_ELEMENTS, length);
    double sum = 0.0;
    for (unsigned long long i = first + threadIdx.x; i < end; i += THREADS) {
        // An entry that does not count stays 0 even where its rate overflows.
        float slope = 0.0f;
        if (target[i] != 0.0f) {
            float rate = expf(log_rates[i]);
            slope = target[i] * (rate - counts[i]);
            sum += target[i] * (rate - counts[i] * log_rates[i]);
        }
        gradient[i] = slope;
    }
    double total = sum_over_block(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = total;
    }
}

// loss = sum of the blocks' sums. Grid: one block.
extern "C" __global__ void poisson_loss_sum(const double *sums, float *loss, unsigned blocks) {
    double sum = 0.0;
    for (unsigned block = threadIdx.x; block < blocks; block += THREADS) {
        sum += sums[block];
    }
    double total = sum_over_block(sum);
    if (threadIdx.x == 0) {
        loss[0] = (float)total;
    }
}
