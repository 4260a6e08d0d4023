//! Which tokens may attend to which.

/// The allowed (query, key) pairs, given by a rule so that no device stores a matrix of them.
///
/// Tokens are `prefix` tokens (session, prompt) followed by bins of `tokens_per_bin` tokens, of which the first
/// `used_per_bin` hold data. A key is allowed when it is the query itself, or a prefix token, or a used token whose
/// bin is not later than the query's (`causal`) or any used token (not causal). Prefix queries see every used token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionRule {
    /// Tokens in front of the first bin.
    pub prefix: usize,
    /// Tokens of one bin: 1 for time tokens, the number of patches for space-time tokens.
    pub tokens_per_bin: usize,
    /// How many of them hold data.
    pub used_per_bin: usize,
    /// Whether a bin sees only itself and earlier bins.
    pub causal: bool,
}

impl AttentionRule {
    /// Everything sees everything.
    pub fn full() -> Self {
        Self { prefix: 0, tokens_per_bin: 1, used_per_bin: 1, causal: false }
    }

    /// Whether `query` may attend to `key`.
    pub fn allows(&self, query: usize, key: usize) -> bool {
        key == query || (key < self.key_end(query, usize::MAX) && self.is_used(key))
    }

    /// Allowed pairs of a sequence of `tokens` tokens.
    pub fn pairs(&self, tokens: usize) -> usize {
        let keys = |query: usize| (0..tokens).filter(|key| self.allows(query, *key)).count();
        (0..tokens).map(keys).sum()
    }

    /// Whether a token holds data.
    pub fn is_used(&self, token: usize) -> bool {
        token < self.prefix || (token - self.prefix) % self.tokens_per_bin < self.used_per_bin
    }

    /// One past the last key that `query` may see, in a sequence of `tokens` tokens.
    pub fn key_end(&self, query: usize, tokens: usize) -> usize {
        if !self.causal || query < self.prefix {
            return tokens;
        }
        let bin = (query - self.prefix) / self.tokens_per_bin;
        (self.prefix + (bin + 1) * self.tokens_per_bin).min(tokens)
    }

    /// Whether some tokens hold no data.
    pub fn has_unused(&self) -> bool {
        self.used_per_bin < self.tokens_per_bin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_sees_all_and_is_seen_by_all_and_bins_see_the_past() {
        let rule = AttentionRule { prefix: 2, tokens_per_bin: 1, used_per_bin: 1, causal: true };
        for query in 0..6 {
            for key in 0..6 {
                let expected = query < 2 || key < 2 || key <= query;
                assert_eq!(rule.allows(query, key), expected, "{query} -> {key}");
            }
        }
    }

    #[test]
    fn causal_patches_see_their_own_bin_whole_but_no_unused_patch() {
        let rule = AttentionRule { prefix: 1, tokens_per_bin: 3, used_per_bin: 2, causal: true };
        // Tokens: 0 prefix; 1 2 3 bin 0; 4 5 6 bin 1. 3 and 6 are unused.
        assert!(rule.allows(1, 2) && !rule.allows(1, 3) && rule.allows(3, 3) && !rule.allows(1, 4));
        assert!(rule.allows(4, 1) && rule.allows(4, 5) && !rule.allows(4, 6) && rule.allows(0, 5));
        assert!(!rule.allows(0, 6));
    }
}
