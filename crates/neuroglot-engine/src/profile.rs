//! Where the time of operations goes, on a device that can tell.

use crate::Cost;

/// What was timed from [`Device::start_profile`](crate::Device::start_profile) to
/// [`Device::take_profile`](crate::Device::take_profile): operations in the order in which they first ran.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// One for each name.
    pub operations: Vec<ProfiledOperation>,
}

/// All calls of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfiledOperation {
    /// Its name in [`crate::Device`]; `send` for what the host sends, which has no cost and no floor.
    pub name: &'static str,
    /// How often it was called.
    pub calls: usize,
    /// Time on the device (ms), of all calls.
    pub milliseconds: f64,
    /// What all calls cost at least.
    pub cost: Cost,
    /// The time (ms) that the device needs at least for this cost, call by call the longer of two: its bytes at the memory's
    /// bandwidth, and its products at the peak of their precision. `None` where a figure of the device is not known.
    pub floor: Option<f64>,
    /// What the device ran for it.
    pub kernels: Vec<ProfiledKernel>,
}

/// All launches of one kernel, or all products of one shape, for one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfiledKernel {
    /// Its name, or `product` with rows, columns and terms of a sum.
    pub name: String,
    /// How often it was launched.
    pub calls: usize,
    /// Time on the device (ms), of all launches.
    pub milliseconds: f64,
    /// As for the operation, of a product; `None` for a kernel, which does a part of its operation.
    pub floor: Option<f64>,
}

impl Profile {
    /// Time of all operations (ms).
    pub fn milliseconds(&self) -> f64 {
        self.operations.iter().map(|operation| operation.milliseconds).sum()
    }

    /// Floor of all operations (ms); `None` where one is not known.
    pub fn floor(&self) -> Option<f64> {
        self.operations.iter().map(|operation| operation.floor).sum()
    }

    /// Each operation's and each kernel's median time over profiles of equal calls. An even number of profiles gives the
    /// lower of the two in the middle; no profile gives none.
    ///
    /// # Panics
    /// Where calls differ.
    pub fn median_of(profiles: &[Profile]) -> Profile {
        let Some(mut median) = profiles.first().cloned() else { return Profile::default() };
        let middle = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[(times.len() - 1) / 2]
        };
        for (index, operation) in median.operations.iter_mut().enumerate() {
            let of_all: Vec<&ProfiledOperation> =
                profiles.iter().map(|profile| &profile.operations[index]).collect();
            let is_same = |other: &&ProfiledOperation| {
                (other.name, other.calls, other.cost) == (operation.name, operation.calls, operation.cost)
            };
            assert!(of_all.iter().all(is_same), "profiles of equal calls");
            operation.milliseconds = middle(of_all.iter().map(|operation| operation.milliseconds).collect());
            for (index, kernel) in operation.kernels.iter_mut().enumerate() {
                kernel.milliseconds =
                    middle(of_all.iter().map(|operation| operation.kernels[index].milliseconds).collect());
            }
        }
        median
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(milliseconds: f64) -> Profile {
        let kernel = ProfiledKernel { name: "gelu".to_owned(), calls: 2, milliseconds, floor: None };
        let operation = |name, floor| ProfiledOperation {
            name,
            calls: 1,
            milliseconds: 2.0 * milliseconds,
            cost: Cost::default(),
            floor,
            kernels: vec![kernel.clone()],
        };
        Profile { operations: vec![operation("linear", Some(0.5)), operation("rope", Some(0.25))] }
    }

    #[test]
    fn times_are_medians_and_add_up() {
        let median = Profile::median_of(&[profile(5.0), profile(1.0), profile(2.0)]);
        assert_eq!(median, profile(2.0));
        assert_eq!(Profile::median_of(&[profile(5.0), profile(1.0)]), profile(1.0));
        assert_eq!((median.milliseconds(), median.floor()), (8.0, Some(0.75)));
        assert_eq!(Profile::median_of(&[]), Profile::default());
        let mut unknown = profile(1.0);
        unknown.operations[1].floor = None;
        assert_eq!(unknown.floor(), None);
    }
}
