// Sum over scored entries of exp(l) - y * l, in f64 by blocks, then over the blocks.

// Elements of a block: sixteen per thread.
#define LOSS_ELEMENTS (16 * THREADS)

// gradient = exp(l) - y where an entry is hidden and its unit scored, else 0; sums receives one number per block. Grid: one block
// per LOSS_ELEMENTS elements of l, `[trial, bin, column]`.
extern "C" __global__ void poisson_loss(Trials of, const float *columns, const float *log_rates, float *gradient,
                                        double *sums, unsigned long long length, unsigned width) {
    unsigned long long first = (unsigned long long)blockIdx.x * LOSS_ELEMENTS;
    unsigned long long end = min(first + LOSS_ELEMENTS, length);
    double sum = 0.0;
    for (unsigned long long i = first + threadIdx.x; i < end; i += THREADS) {
        unsigned row = i / width, trial = row / of.bins, bin = row % of.bins;
        unsigned unit = unit_of(of, columns, i % width);
        // An entry that does not count stays 0 even where its rate overflows.
        float slope = 0.0f;
        if (unit < of.units && is_scored(of, unit) && is_hidden(of, trial, bin, unit)) {
            float rate = expf(log_rates[i]), count = count_of(of, trial, bin, unit);
            slope = rate - count;
            sum += rate - count * log_rates[i];
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
