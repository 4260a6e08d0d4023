// What a network reads of counts: 0 of what is hidden, and of others the counts, standardised if there is a mean to do it by.

// Grid: one thread per element of x, `[trial, bin, column]`.
extern "C" __global__ void shown_counts(Trials of, const float *columns, float padding, const float *mean,
                                        const float *deviation, float *x, unsigned long long length, unsigned width) {
    unsigned long long i = thread_number();
    if (i >= length) {
        return;
    }
    unsigned row = i / width, trial = row / of.bins, bin = row % of.bins;
    unsigned unit = unit_of(of, columns, i % width);
    if (unit >= of.units) {
        x[i] = padding;
    } else if (is_hidden(of, trial, bin, unit)) {
        x[i] = 0.0f;
    } else {
        float count = count_of(of, trial, bin, unit);
        x[i] = mean ? (count - mean[unit]) / deviation[unit] : count;
    }
}
