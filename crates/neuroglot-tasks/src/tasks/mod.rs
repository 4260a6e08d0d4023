//! Evaluation tasks: one file each, and the registry that names them.

mod cases;

pub use cases::{CaseGroup, ScoredPart};

use neuroglot_masks::{Regions, Scheme};

/// All that makes a task.
struct Definition {
    /// The name used in options and files.
    name: &'static str,
    /// The name as it is read in a sentence.
    title: &'static str,
    /// What it hides from the model and what it shows, in a line.
    description: &'static str,
    /// The scheme of training that hides alike: its prompt asks a model for this task.
    scheme: Scheme,
    /// What units are predicted from.
    predicted_from: PredictedFrom,
    /// Why it cannot be done with units of these regions, if it cannot.
    why_not: fn(&Regions) -> Option<&'static str>,
    /// Its cases in a trial of so many bins. All that is scored in any case is a rectangle: some units in some bins.
    cases: fn(&Regions, usize) -> Vec<CaseGroup>,
}

/// What a task shows of a trial to predict a unit from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PredictedFrom {
    /// Other units, in the whole trial: whole units are hidden.
    OtherUnits,
    /// All units, up to some bin: all later ones are hidden.
    ThePast,
}

/// Registers tasks. `NAME: file;` stands for `tasks/file.rs`, whose `TASK` defines `Task::NAME`. The order is that of tables.
macro_rules! registry {
    ($($task:ident: $file:ident;)*) => {
        $(mod $file;)*

        /// A task on test trials: something is hidden, and scored is how well it is predicted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Task {
            $(#[doc = concat!("See `tasks/", stringify!($file), ".rs`.")] $task,)*
        }

        impl Task {
            /// All tasks, in the order of tables.
            pub const ALL: [Task; [$(stringify!($task)),*].len()] = [$(Task::$task),*];

            fn definition(self) -> &'static Definition {
                match self {
                    $(Task::$task => &$file::TASK,)*
                }
            }
        }
    };
}

registry! {
    CoSmoothing: co_smoothing;
    Forward: forward;
    IntraRegion: intra_region;
    InterRegion: inter_region;
}

impl Task {
    /// Name in options and files.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Name as it is read in a sentence.
    pub fn title(self) -> &'static str {
        self.definition().title
    }

    /// What it hides and what it shows, in a line.
    pub fn description(self) -> &'static str {
        self.definition().description
    }

    /// The task of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// The scheme of training that hides alike: its prompt asks a model for this task.
    pub fn scheme(self) -> Scheme {
        self.definition().scheme
    }

    /// What units are predicted from.
    pub fn predicted_from(self) -> PredictedFrom {
        self.definition().predicted_from
    }

    /// Why it cannot be done with units of these regions, if it cannot.
    pub fn why_not(self, regions: &Regions) -> Option<&'static str> {
        (self.definition().why_not)(regions)
    }

    /// Its cases in trials of so many bins, in the order in which they are done.
    pub fn cases(self, regions: &Regions, bins: usize) -> Vec<CaseGroup> {
        (self.definition().cases)(regions, bins)
    }

    /// What is scored in any of its cases.
    pub fn scored(self, regions: &Regions, bins: usize) -> ScoredPart {
        ScoredPart::of(&self.cases(regions, bins))
    }
}

/// Why a task between regions cannot be done, if it needs so many.
fn too_few_regions(regions: &Regions, needed: usize) -> Option<&'static str> {
    match regions.names().len() {
        0 => Some("no unit of the session has a region"),
        1 if needed > 1 => Some("the session has only one region"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINS: usize = 25;

    /// Seven units of three regions and of none; unit 6 is alone in its region.
    fn regions() -> Regions {
        Regions::new(["CA1", "PO", "root", "CA1", "PO", "void", "DG"])
    }

    /// Whether a task hides an entry in the case that scores `target`, from its definition in words.
    fn hides(task: Task, regions: &Regions, target: usize, bin: usize, unit: usize) -> bool {
        match task.name() {
            "co-smoothing" => unit == target,
            "forward" => bin >= 23,
            "intra-region" => unit == target || regions.of_unit(unit) != regions.of_unit(target),
            "inter-region" => regions.of_unit(unit) == regions.of_unit(target),
            other => panic!("say here what {other} hides"),
        }
    }

    #[test]
    fn every_unit_is_scored_once_with_hidden_what_the_task_says() {
        let regions = regions();
        for task in Task::ALL {
            let is_of_regions = task.name().ends_with("region");
            let expected: Vec<usize> =
                (0..7).filter(|unit| !is_of_regions || regions.of_unit(*unit).is_some()).collect();
            let first_bin = if task.name() == "forward" { 23 } else { 0 };
            let scored = task.scored(&regions, BINS);
            assert_eq!((&scored.units, scored.bins.clone()), (&expected, first_bin..BINS), "{task:?}");
            let mut times = vec![0; BINS * 7];
            for case in task.cases(&regions, BINS).iter().flat_map(CaseGroup::cases) {
                assert_eq!((case.trials(), case.bins(), case.units()), (1, BINS, 7));
                for (entry, is_scored) in case.scored().iter().enumerate().filter(|(_, scored)| **scored) {
                    times[entry] += usize::from(*is_scored);
                    for (other, hidden) in case.hidden().iter().enumerate() {
                        let expected = hides(task, &regions, entry % 7, other / 7, other % 7);
                        assert_eq!(*hidden, expected, "{task:?}: {other} while {entry} is scored");
                    }
                }
            }
            for (entry, times) in times.into_iter().enumerate() {
                let is_scored = scored.units.contains(&(entry % 7)) && scored.bins.contains(&(entry / 7));
                assert_eq!(times, usize::from(is_scored), "{task:?}: entry {entry}");
            }
        }
    }

    #[test]
    fn what_a_task_predicts_from_is_what_its_cases_show() {
        for task in Task::ALL {
            for case in task.cases(&regions(), BINS).iter().flat_map(CaseGroup::cases) {
                let whole_units = case.units_hidden();
                let rows: Vec<&[bool]> = case.hidden().chunks(7).collect();
                match task.predicted_from() {
                    PredictedFrom::OtherUnits => {
                        assert!(
                            rows.iter()
                                .all(|row| (0..7).all(|unit| row[unit] == whole_units.contains(&unit)))
                        );
                    }
                    PredictedFrom::ThePast => {
                        let first = rows.iter().position(|row| row[0]).unwrap();
                        let is_hidden = |bin: usize| rows[bin].iter().all(|hidden| *hidden == (bin >= first));
                        assert!(first > 0 && (0..BINS).all(is_hidden));
                    }
                }
            }
        }
    }

    #[test]
    fn tasks_between_regions_need_them() {
        let why_not = |regions: &[&str]| {
            let regions = Regions::new(regions.iter().copied());
            [Task::CoSmoothing, Task::Forward, Task::IntraRegion, Task::InterRegion]
                .map(|task| task.why_not(&regions))
        };
        assert_eq!(why_not(&["CA1", "PO"]), [None; 4]);
        assert_eq!(why_not(&["CA1", "root"]), [None, None, None, Some("the session has only one region")]);
        let none = Some("no unit of the session has a region");
        assert_eq!(why_not(&["void"]), [None, None, none, none]);
    }

    #[test]
    fn names_find_their_task() {
        for task in Task::ALL {
            assert_eq!(Task::named(task.name()), Some(task));
        }
        assert_eq!(Task::named("cosmoothing"), None);
    }
}
