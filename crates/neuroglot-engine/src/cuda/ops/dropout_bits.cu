// Dropout by counter-based bits: Philox-4x32-10, the very bits of `dropout_bits.rs`.
//
// Element e takes draw (e / 16) mod 8 of block 16 * (e / 128) + e mod 16. A thread that works on elements 16 apart
// therefore needs one block for up to eight of them.

// `key` holds the run's seed and the step, low words first, in device memory: a recorded pass reads new ones each
// time. A threshold of 0 drops nothing.
struct Dropout {
    const unsigned *key;
    unsigned site;
    unsigned threshold;
    float scale;
};

struct PhiloxWords {
    unsigned a, b, c, d;
};

__device__ inline PhiloxWords philox(const Dropout &dropout, unsigned long long block) {
    unsigned seed_low = dropout.key[0], seed_high = dropout.key[1];
    unsigned step_low = dropout.key[2], step_high = dropout.key[3];
    unsigned a = (unsigned)block;
    unsigned b = ((unsigned)(block >> 32) & 0xfu) | (step_high << 4);
    unsigned c = step_low;
    unsigned d = dropout.site;
    // The attention holds many copies of this loop; unrolled, they would not fit the instruction cache.
#pragma unroll 1
    for (int round = 0; round < 10; ++round) {
        unsigned high_a = __umulhi(a, 0xD2511F53u), low_a = a * 0xD2511F53u;
        unsigned high_c = __umulhi(c, 0xCD9E8D57u), low_c = c * 0xCD9E8D57u;
        a = high_c ^ b ^ seed_low;
        b = low_c;
        c = high_a ^ d ^ seed_high;
        d = low_a;
        seed_low += 0x9E3779B9u;
        seed_high += 0xBB67AE85u;
    }
    return PhiloxWords{a, b, c, d};
}

// Multiplier (0 or the scale) of draw 0 to 7 of a block.
__device__ inline float multiplier_of_draw(const Dropout &dropout, const PhiloxWords &words, unsigned draw) {
    // A chain of selections instead of an array, which would leave the registers.
    unsigned word = draw < 4 ? (draw < 2 ? words.a : words.b) : (draw < 6 ? words.c : words.d);
    unsigned bits = draw % 2 == 0 ? word & 0xffffu : word >> 16;
    return bits < dropout.threshold ? 0.0f : dropout.scale;
}

// Multipliers of single elements, with the last block kept for the elements that share it.
struct DropoutReader {
    Dropout dropout;
    unsigned long long block;
    PhiloxWords words;

    __device__ explicit DropoutReader(const Dropout &dropout) : dropout(dropout), block(~0ull), words() {}

    __device__ float multiplier(unsigned long long element) {
        if (dropout.threshold == 0) {
            return 1.0f;
        }
        unsigned long long needed = element / 128 * 16 + element % 16;
        if (needed != block) {
            block = needed;
            words = philox(dropout, block);
        }
        return multiplier_of_draw(dropout, words, (unsigned)(element / 16) % 8);
    }
};
