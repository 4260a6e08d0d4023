//! When to try again, and how time passes.

use chrono::DateTime;
use std::time::{Duration, SystemTime};

/// Time as downloads see it: tests replace it, so that waits cost nothing.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Waits for `duration`.
    fn sleep(&self, duration: Duration);

    /// The time of day, for a `Retry-After` that is a date.
    fn now(&self) -> SystemTime;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// How patient downloads are. Waits have no random part: one process fetches one file at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in a row without a new byte after which a download gives up.
    pub attempts: u32,
    /// Wait in s before the second attempt; each further one doubles it.
    pub first_wait: Duration,
    /// Longest wait in s of our own choice.
    pub longest_wait: Duration,
    /// Longest wait in s that a server's `Retry-After` is followed for; a longer one is cut to this.
    pub longest_asked_wait: Duration,
    /// Silence in s (while connecting, before an answer, between bytes) that ends an attempt.
    pub silence: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            attempts: 7,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            longest_asked_wait: Duration::from_secs(300),
            silence: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The wait after `failures` attempts in a row without progress, of which the last one said `asked`.
    pub(crate) fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let own = self
            .first_wait
            .saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)))
            .min(self.longest_wait);
        match asked {
            Some(asked) => asked.min(self.longest_asked_wait).max(own),
            None => own,
        }
    }
}

/// Reads a `Retry-After`: seconds, or a date as HTTP writes it (`Wed, 21 Oct 2015 07:28:00 GMT`).
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = u64::try_from(DateTime::parse_from_rfc2822(value).ok()?.timestamp()).ok()?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(Duration::from_secs(until.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_follow_the_server_up_to_a_limit() {
        let policy = RetryPolicy::default();
        let own: Vec<u64> = (1..=8).map(|failures| policy.wait(failures, None).as_secs()).collect();
        assert_eq!(own, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(policy.wait(1, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(policy.wait(1, Some(Duration::from_secs(1_000_000))), Duration::from_secs(300));
        assert_eq!(policy.wait(3, Some(Duration::ZERO)), Duration::from_secs(4));
        assert_eq!(policy.wait(u32::MAX, None), Duration::from_secs(30));
    }

    #[test]
    fn a_server_asks_in_seconds_or_by_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_450);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        // 1445412480 is 2015-10-21 07:28:00 UTC.
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT", now), Some(Duration::ZERO));
        // 951782400 is 2000-02-29 00:00:00 UTC.
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_395);
        assert_eq!(retry_after("Tue, 29 Feb 2000 00:00:00 GMT", before), Some(Duration::from_secs(5)));
        for bad in ["soon", "", "-3", "Wed, 21 Foo 2015 07:28:00 GMT", "Wed, 21 Oct 99999999999 07:28:00 GMT"]
        {
            assert_eq!(retry_after(bad, now), None, "{bad}");
        }
    }
}
