// Positions of space-time tokens, and back.

// y = time + space + region per bin and patch; without regions the last is left out. Grid: one thread per element of y.
extern "C" __global__ void patch_positions(const float *time, const float *space, const float *region,
                                           const float *region_of_patch, float *y, unsigned long long length,
                                           unsigned patches, unsigned width, unsigned regions) {
    unsigned long long i = thread_number();
    if (i >= length) {
        return;
    }
    unsigned column = (unsigned)(i % width);
    unsigned long long token = i / width;
    unsigned patch = (unsigned)(token % patches);
    float value = time[token / patches * width + column] + space[(unsigned long long)patch * width + column];
    if (regions > 0) {
        value += region[(unsigned long long)region_of_patch[patch] * width + column];
    }
    y[i] = value;
}

// Rows of time, of space and of regions receive the sum over the tokens that they were added to. Grid: one thread per
// element of all three.
extern "C" __global__ void patch_positions_backward(const float *dy, const float *region_of_patch, float *dtime,
                                                    float *dspace, float *dregion, unsigned bins, unsigned patches,
                                                    unsigned width, unsigned regions) {
    unsigned long long i = thread_number();
    unsigned column = (unsigned)(i % width);
    unsigned long long row = i / width;
    unsigned long long bin_length = (unsigned long long)patches * width;
    float sum = 0.0f;
    if (row < bins) {
        for (unsigned patch = 0; patch < patches; ++patch) {
            sum += dy[row * bin_length + (unsigned long long)patch * width + column];
        }
        dtime[row * width + column] = sum;
    } else if (row < bins + patches) {
        unsigned long long patch = row - bins;
        for (unsigned bin = 0; bin < bins; ++bin) {
            sum += dy[bin * bin_length + patch * width + column];
        }
        dspace[patch * width + column] = sum;
    } else if (row < bins + patches + regions) {
        unsigned long long number = row - bins - patches;
        for (unsigned patch = 0; patch < patches; ++patch) {
            if ((unsigned long long)region_of_patch[patch] == number) {
                float of_patch = 0.0f;
                for (unsigned bin = 0; bin < bins; ++bin) {
                    of_patch += dy[bin * bin_length + (unsigned long long)patch * width + column];
                }
                sum += of_patch;
            }
        }
        dregion[number * width + column] = sum;
    }
}
