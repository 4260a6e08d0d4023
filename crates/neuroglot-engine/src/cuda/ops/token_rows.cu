// Tokens of a sequence from prefix rows and bins, and back.

#define PREFIX_ROWS 2

// tokens = m * (first; second; bins + positions) per sequence. Grid: one thread per eight elements of tokens.
extern "C" __global__ void token_rows(const float *bins, const float *positions, const float *first,
                                      const float *second, float *tokens, unsigned long long length,
                                      unsigned bins_per_sequence, unsigned width, Dropout dropout) {
    DropoutReader reader(dropout);
    unsigned long long first_element = first_of_eight();
    for (int i = 0; i < 8; ++i) {
        unsigned long long element = first_element + 16 * i;
        if (element >= length) {
            return;
        }
        unsigned column = (unsigned)(element % width);
        unsigned long long row = element / width;
        unsigned token = (unsigned)(row % (bins_per_sequence + PREFIX_ROWS));
        unsigned long long sequence = row / (bins_per_sequence + PREFIX_ROWS);
        float value;
        if (token < PREFIX_ROWS) {
            value = token == 0 ? first[column] : second[column];
        } else {
            unsigned long long bin = token - PREFIX_ROWS;
            value = bins[(sequence * bins_per_sequence + bin) * width + column] + positions[bin * width + column];
        }
        tokens[element] = value * reader.multiplier(element);
    }
}

// Bins receive their token's gradient, positions and prefix rows its sum over sequences. Grid: one thread per element
// of a sequence of tokens.
extern "C" __global__ void token_rows_backward(const float *dtokens, float *dbins, float *dpositions, float *dfirst,
                                               float *dsecond, unsigned batch, unsigned bins_per_sequence,
                                               unsigned width) {
    unsigned long long place = thread_number();
    unsigned long long sequence_length = (unsigned long long)(bins_per_sequence + PREFIX_ROWS) * width;
    if (place >= sequence_length) {
        return;
    }
    unsigned long long prefix_length = (unsigned long long)PREFIX_ROWS * width;
    unsigned long long bins_length = (unsigned long long)bins_per_sequence * width;
    float sum = 0.0f;
    for (unsigned sequence = 0; sequence < batch; ++sequence) {
        float gradient = dtokens[sequence * sequence_length + place];
        sum += gradient;
        if (place >= prefix_length) {
            dbins[sequence * bins_length + place - prefix_length] = gradient;
        }
    }
    if (place < width) {
        dfirst[place] = sum;
    } else if (place < prefix_length) {
        dsecond[place - width] = sum;
    } else {
        dpositions[place - prefix_length] = sum;
    }
}

// bins = tokens without the first `prefix_length` floats of each sequence. Grid: one thread per element of bins.
extern "C" __global__ void drop_prefix(const float *tokens, float *bins, unsigned long long length,
                                       unsigned prefix_length, unsigned bins_length) {
    unsigned long long i = thread_number();
    if (i < length) {
        bins[i] = tokens[i + (i / bins_length + 1) * prefix_length];
    }
}

// tokens = prefix_length zeros, then the bins, per sequence. Grid: one thread per element of tokens.
extern "C" __global__ void drop_prefix_backward(const float *dbins, float *dtokens, unsigned long long length,
                                                unsigned prefix_length, unsigned bins_length) {
    unsigned long long i = thread_number();
    if (i < length) {
        unsigned long long sequence = i / (prefix_length + bins_length);
        unsigned place = (unsigned)(i % (prefix_length + bins_length));
        dtokens[i] = place < prefix_length ? 0.0f : dbins[sequence * bins_length + place - prefix_length];
    }
}
