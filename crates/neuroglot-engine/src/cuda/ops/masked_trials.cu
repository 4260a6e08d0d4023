// Trials of a batch: where their counts lie, and what is hidden of them (ops/masked_trials.rs). Other kernels read them.

// Words of `marks`, in their order: places [trial], units hidden [trial, unit], bins hidden [trial, bin], units scored [unit], and
// with `has_entries` entries hidden [trial, bin, unit]. Marks are bits; each row begins with a word of its own.
struct Trials {
    const unsigned *table, *marks;
    unsigned trials, bins, units, bytes_of_count, has_entries;
};

// In a place: the bins are read from the last to the first.
#define REVERSED (1u << 31)

__device__ inline unsigned words_of(unsigned bits) { return (bits + 31) / 32; }

__device__ inline bool is_set(const unsigned *row, unsigned bit) { return row[bit / 32] >> (bit % 32) & 1; }

__device__ inline float count_of(const Trials &of, unsigned trial, unsigned bin, unsigned unit) {
    unsigned place = of.marks[trial];
    unsigned row = place & REVERSED ? of.bins - 1 - bin : bin;
    unsigned long long floats = ((unsigned long long)of.bins * of.units * of.bytes_of_count + 3) / 4;
    const unsigned *counts = of.table + (place & ~REVERSED) * floats;
    unsigned long long entry = (unsigned long long)row * of.units + unit;
    switch (of.bytes_of_count) {
    case 1:
        return ((const unsigned char *)counts)[entry];
    case 2:
        return ((const unsigned short *)counts)[entry];
    default:
        return ((const float *)counts)[entry];
    }
}

__device__ inline bool is_hidden(const Trials &of, unsigned trial, unsigned bin, unsigned unit) {
    unsigned of_units = words_of(of.units), of_bins = words_of(of.bins);
    const unsigned *units = of.marks + of.trials, *bins = units + of.trials * of_units;
    const unsigned *entries = bins + of.trials * of_bins + of_units;
    return is_set(units + trial * of_units, unit) || is_set(bins + trial * of_bins, bin) ||
           (of.has_entries && is_set(entries + (unsigned long long)(trial * of.bins + bin) * of_units, unit));
}

__device__ inline bool is_scored(const Trials &of, unsigned unit) {
    return is_set(of.marks + of.trials + of.trials * (words_of(of.units) + words_of(of.bins)), unit);
}

// The unit of a column, of.units or more for none. Without numbers, columns are the units in their order.
__device__ inline unsigned unit_of(const Trials &of, const float *columns, unsigned column) {
    if (!columns) {
        return column;
    }
    float unit = columns[column];
    return unit >= 0.0f && unit < (float)of.units ? (unsigned)unit : of.units;
}
