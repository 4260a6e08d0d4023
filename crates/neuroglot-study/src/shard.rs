//! The share of one process of several, and which cells belong to it.

use crate::{Cell, StudyError};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::str::FromStr;

/// One of several shares of a study; written `2/8`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 0.
    index: usize,
    /// Of how many.
    count: usize,
}

impl Shard {
    /// All there is to do.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// Most shares that work is divided into.
    pub const MOST: usize = 100_000;

    /// Number of shares.
    pub fn count(self) -> usize {
        self.count
    }

    /// The share that a scheduler's environment asks for; `None` outside of one.
    ///
    /// A Slurm array says how many tasks it has (`SLURM_ARRAY_TASK_ID`, `_MIN`, `_STEP`, `_COUNT`). With `count` given,
    /// an array of as many tasks is numbered from its first; any other one (some tasks submitted again) by its ids, from
    /// 0. A Kubernetes Indexed Job gives `JOB_COMPLETION_INDEX` only and needs `count`.
    ///
    /// # Errors
    /// [`StudyError::Shard`]: numbers that do not fit together, or a missing count.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
        count: Option<usize>,
    ) -> Result<Option<Self>, StudyError> {
        let number = |name: &str| -> Result<Option<usize>, StudyError> {
            let Some(text) = variable(name).filter(|text| !text.is_empty()) else { return Ok(None) };
            let wrong =
                |_| StudyError::Shard(format!("{name} is `{text}`, which is no number: give --shard i/n"));
            text.parse().map(Some).map_err(wrong)
        };
        if let Some(id) = number("SLURM_ARRAY_TASK_ID")? {
            let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
            let tasks = number("SLURM_ARRAY_TASK_COUNT")?;
            let (index, count) = match (count, tasks) {
                (Some(count), tasks) if tasks != Some(count) => (id, count),
                (_, Some(tasks)) => (id.saturating_sub(first) / step, tasks),
                (_, None) => {
                    return Err(StudyError::Shard(
                        "SLURM_ARRAY_TASK_ID is set but not SLURM_ARRAY_TASK_COUNT: give --shards N"
                            .to_owned(),
                    ));
                }
            };
            return Self::checked(index, count, "the Slurm array", "number it evenly, as in --array=0-7")
                .map(Some);
        }
        if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            let Some(count) = count else {
                return Err(StudyError::Shard(
                    "JOB_COMPLETION_INDEX does not say of how many: give --shards N, the Job's completions"
                        .to_owned(),
                ));
            };
            return Self::checked(
                index,
                count,
                "JOB_COMPLETION_INDEX",
                "make --shards equal to its completions",
            )
            .map(Some);
        }
        Ok(None)
    }

    fn checked(index: usize, count: usize, what: &str, cure: &str) -> Result<Self, StudyError> {
        if count > Self::MOST {
            let most = Self::MOST;
            let problem = format!("{what} has {count} shares, and at most {most} are made: give --shard i/n");
            return Err(StudyError::Shard(problem));
        }
        if index < count {
            return Ok(Self { index, count });
        }
        Err(StudyError::Shard(format!(
            "{what} asks for share number {index}, counted from 0, of {count}: {cure}, or give --shard i/n"
        )))
    }

    /// Which share each cell belongs to, `[cell]`, from 0.
    ///
    /// A cell and those that need it stay together. Heavy groups are given out first, each to the share with the least
    /// to do, so shares are of about one size. The same cells and count give the same shares.
    pub fn assign(cells: &[Cell], count: usize) -> Vec<usize> {
        let mut groups: Vec<(u64, Vec<usize>)> = Vec::new();
        let mut group_of: HashMap<&str, usize> = HashMap::new();
        for (index, cell) in cells.iter().enumerate() {
            let needed = cell.needs.as_ref().and_then(|needed| group_of.get(needed.id.as_str()).copied());
            match needed {
                Some(group) => {
                    let (weight, members) = &mut groups[group];
                    *weight = weight.saturating_add(cell.weight());
                    members.push(index);
                }
                None => {
                    group_of.insert(&cell.id, groups.len());
                    groups.push((cell.weight(), vec![index]));
                }
            }
        }
        groups.sort_by_key(|(weight, _)| Reverse(*weight));
        // Of shares with as little to do, the first is given more.
        let mut loads: BinaryHeap<Reverse<(u64, usize)>> =
            (0..count.clamp(1, Self::MOST)).map(|share| Reverse((0, share))).collect();
        let mut shares = vec![0; cells.len()];
        for (weight, members) in groups {
            let Some(Reverse((load, lightest))) = loads.pop() else { break };
            loads.push(Reverse((load.saturating_add(weight), lightest)));
            members.into_iter().for_each(|member| shares[member] = lightest);
        }
        shares
    }

    /// Whether this is the share of that number, counted from 0.
    pub fn has_index(self, index: usize) -> bool {
        index == self.index
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts =
            text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) && count <= Self::MOST => {
                Ok(Self { index: index - 1, count })
            }
            _ => {
                Err(format!("a share is written i/n, counted from 1, such as 2/8, of at most {}", Self::MOST))
            }
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index + 1, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{Method, Needed, Stage, TrainedMethod};
    use neuroglot_baselines::Baseline;
    use neuroglot_masks::MaskPool;
    use neuroglot_model::Architecture;
    use neuroglot_train::RunConfig;

    fn from(variables: &[(&str, &str)], count: Option<usize>) -> Result<Option<String>, String> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let shard = Shard::from_environment(variable, count).map_err(|error| error.to_string())?;
        Ok(shard.map(|shard| shard.to_string()))
    }

    fn array(
        id: &'static str,
        first: &'static str,
        step: &'static str,
        count: &'static str,
    ) -> [(&'static str, &'static str); 4] {
        [
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_MIN", first),
            ("SLURM_ARRAY_TASK_STEP", step),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ]
    }

    fn is(text: &str) -> Result<Option<String>, String> {
        Ok(Some(text.to_owned()))
    }

    #[test]
    fn shares_are_read_as_they_are_written() {
        assert_eq!("2/8".parse::<Shard>(), Ok(Shard { index: 1, count: 8 }));
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
        for text in ["0/8", "9/8", "1/0", "1", "a/b", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("100000/100000".parse::<Shard>().unwrap().count(), Shard::MOST);
        for text in ["1/100001", "1/1000000000", "1/18446744073709551615", "1/18446744073709551616"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("at most 100000"), "{text}");
        }
    }

    #[test]
    fn an_environment_with_absurd_numbers_is_refused() {
        let last = "18446744073709551615";
        for count in ["100001", "1000000000", last] {
            let error = from(&array("0", "0", "1", count), None).unwrap_err();
            assert!(error.contains("at most 100000"), "{error}");
        }
        // No number at all, and numbers at the ends of what there is.
        for id in ["18446744073709551616", "-1", "1e9"] {
            assert!(from(&array(id, "0", "1", "8"), None).unwrap_err().contains("no number"), "{id}");
        }
        assert!(from(&array(last, "0", "1", "8"), None).is_err());
        assert_eq!(from(&array("0", last, last, "8"), None), is("1/8"));
        assert!(from(&[("JOB_COMPLETION_INDEX", last)], Some(8)).is_err());
        assert!(from(&[("JOB_COMPLETION_INDEX", "0")], Some(usize::MAX)).unwrap_err().contains("at most"));
    }

    #[test]
    fn a_slurm_array_says_which_share() {
        assert_eq!(from(&array("0", "0", "1", "8"), None), is("1/8"));
        assert_eq!(from(&array("8", "1", "1", "8"), None), is("8/8"));
        assert_eq!(from(&array("12", "4", "4", "3"), None), is("3/3"));
        // As printed by `launch`, and with one task of it submitted again.
        assert_eq!(from(&array("3", "0", "1", "8"), Some(8)), is("4/8"));
        assert_eq!(from(&array("3", "3", "1", "1"), Some(8)), is("4/8"));
        assert!(from(&array("7", "1", "1", "3"), None).unwrap_err().contains("--array=0-7"));
        assert!(from(&array("9", "9", "1", "1"), Some(8)).is_err());
        assert!(from(&array("x", "0", "1", "8"), None).unwrap_err().contains("is `x`"));
        assert!(from(&[("SLURM_ARRAY_TASK_ID", "1")], None).unwrap_err().contains("--shards N"));
    }

    #[test]
    fn an_indexed_job_needs_a_count() {
        assert_eq!(from(&[("JOB_COMPLETION_INDEX", "2")], Some(4)), is("3/4"));
        assert!(from(&[("JOB_COMPLETION_INDEX", "2")], None).unwrap_err().contains("--shards N"));
        assert!(from(&[("JOB_COMPLETION_INDEX", "4")], Some(4)).is_err());
        assert_eq!(from(&[], Some(4)), Ok(None));
    }

    fn trained() -> Method {
        Method::Trained(TrainedMethod {
            model: Architecture::default(),
            mask: MaskPool::multi_task(),
            recipe: None,
            pretraining: None,
            trials: 0,
        })
    }

    fn cell(id: &str, needs: Option<&str>, epochs: u64) -> Cell {
        let mut settings = RunConfig::default();
        settings.train.epochs = epochs;
        let session = crate::StudySession { path: "p".into(), eid: "e".into(), subject: "s".into() };
        Cell {
            id: id.to_owned(),
            stage: Stage::Scratch,
            method: trained(),
            seed: None,
            sessions: vec![session],
            scored: vec!["e".to_owned()],
            needs: needs.map(|id| Needed {
                id: id.to_owned(),
                settings: settings.clone(),
                sessions: Vec::new(),
            }),
            settings,
        }
    }

    #[test]
    fn what_belongs_together_stays_together_and_shares_are_even() {
        let mut cells = vec![cell("p", None, 50)];
        cells.extend((0..3).map(|index| cell(&format!("f{index}"), Some("p"), 10)));
        cells.extend((0..8).map(|index| cell(&format!("s{index}"), None, 20)));
        let shares = Shard::assign(&cells, 3);
        assert!(shares[..4].iter().all(|share| *share == shares[0]));
        let load = |share: usize| -> u64 {
            cells
                .iter()
                .zip(&shares)
                .filter(|(_, assigned)| **assigned == share)
                .map(|(cell, _)| cell.settings.train.epochs)
                .sum()
        };
        assert_eq!([0, 1, 2].map(load), [80, 80, 80]);
        assert_eq!(Shard::assign(&cells, 1), vec![0; cells.len()]);
        // Two networks are twice the work of one.
        let mut pair = cell("m", None, 20);
        pair.settings.train.members = 2;
        let with_pair = [pair, cell("s1", None, 20), cell("s2", None, 20)];
        assert_eq!(Shard::assign(&with_pair, 2), [0, 1, 1]);
        // Baselines that take long do not gather in one share.
        let cell_of = |baseline| Cell { method: Method::Baseline(baseline), ..cell("b", None, 0) };
        let baselines =
            [Baseline::Psth, Baseline::UnitMean, Baseline::PoissonGlm, Baseline::ReducedRank].map(cell_of);
        assert_eq!(Shard::assign(&baselines, 2), [0, 1, 0, 1]);
        assert_eq!(Shard::assign(&cells, 3), shares);
    }
}
