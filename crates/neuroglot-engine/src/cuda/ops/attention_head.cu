// Which pairs an attention allows, and where the parts of a head lie.

// `AttentionRule`.
struct Rule {
    unsigned prefix;
    unsigned tokens_per_bin;
    unsigned used_per_bin;
    unsigned causal;
};

// One past the last key that a query may see.
__device__ inline unsigned key_end(const Rule &rule, unsigned query, unsigned tokens) {
    if (!rule.causal || query < rule.prefix) {
        return tokens;
    }
    unsigned bin = (query - rule.prefix) / rule.tokens_per_bin;
    return min(rule.prefix + (bin + 1) * rule.tokens_per_bin, tokens);
}

__device__ inline bool is_used(const Rule &rule, unsigned token) {
    return token < rule.prefix || rule.used_per_bin >= rule.tokens_per_bin ||
           (token - rule.prefix) % rule.tokens_per_bin < rule.used_per_bin;
}

// Whether a query may attend to a key; never where one of them lies behind the sequence.
__device__ inline bool allows(const Rule &rule, unsigned query, unsigned key, unsigned tokens) {
    return query < tokens && key < tokens &&
           (key == query || (key < key_end(rule, query, tokens) && is_used(rule, key)));
}

// Sizes of an attention, one head of one sequence of it, and where that lies.
struct Head {
    unsigned tokens;
    unsigned width;
    unsigned hidden;
    unsigned long long first_row;
    unsigned first_column;
    unsigned long long first_element;

    __device__ Head(unsigned tokens, unsigned heads, unsigned head_width)
        : tokens(tokens), width(head_width), hidden(heads * head_width),
          first_row((unsigned long long)(blockIdx.x / heads) * tokens),
          first_column(blockIdx.x % heads * head_width),
          first_element((unsigned long long)blockIdx.x * tokens * tokens) {}

    // Where a token's queries (part 0), keys (1) or values (2) begin in [batch * tokens, 3 * hidden].
    __device__ unsigned long long in_qkv(unsigned part, unsigned token) const {
        return (first_row + token) * 3 * hidden + part * hidden + first_column;
    }

    // Where a token begins in [batch * tokens, hidden].
    __device__ unsigned long long in_y(unsigned token) const {
        return (first_row + token) * hidden + first_column;
    }

    // What stands in a column of this head there, and in one of part 0, 1 or 2 in [batch * tokens, 3 * hidden].
    __device__ float of_y(const Numbers &y, unsigned token, unsigned column) const {
        return y.at(first_row + token, first_column + column);
    }
    __device__ void set(const Numbers &y, unsigned token, unsigned column, float value) const {
        y.set(first_row + token, first_column + column, value);
    }
    __device__ void set_part(const Numbers &qkv, unsigned part, unsigned token, unsigned column, float value) const {
        qkv.set(first_row + token, part * hidden + first_column + column, value);
    }

    // Where a query's number lies in [batch, heads, tokens].
    __device__ unsigned long long in_statistics(unsigned token) const {
        return (unsigned long long)blockIdx.x * tokens + token;
    }

    // Dropout element of a pair.
    __device__ unsigned long long element(unsigned query, unsigned key) const {
        return first_element + (unsigned long long)query * tokens + key;
    }
};
