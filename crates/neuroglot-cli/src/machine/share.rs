//! Which share of the work is this process's.

use crate::CommandError;
use neuroglot::study::Shard;

/// The share given (`--shard`), or that of the scheduler with the number of shares given (`--shards`); `None` where neither
/// says one. With `is_needed`, a number of shares without a scheduler is an error.
///
/// # Errors
/// Numbers that do not fit together.
pub fn share(
    given: Option<Shard>,
    count: Option<u32>,
    is_needed: bool,
) -> Result<Option<Shard>, CommandError> {
    if given.is_some() {
        return Ok(given);
    }
    let variable = |name: &str| std::env::var(name).ok();
    let share = Shard::from_environment(variable, count.map(|count| count as usize))?;
    match (share, count) {
        (None, Some(count)) if is_needed => Err(CommandError::Usage(format!(
            "--shards {count} says of how many, and no scheduler says which: give --shard i/{count}"
        ))),
        _ => Ok(share),
    }
}
