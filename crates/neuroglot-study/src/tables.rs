//! The tables of a study: which methods are set side by side, and which is compared with which.

use crate::cell::{Method, TrainedMethod};
use crate::estimate::Column;
use crate::results::ScoreTable;
use crate::scores::MethodScores;
use crate::table_rows::{Line, Trained, lines, table};
use crate::{StudyFile, labels};
use indexmap::IndexSet;
use neuroglot_baselines::Baseline;
use neuroglot_masks::MaskPool;
use neuroglot_model::Architecture;
use neuroglot_tasks::{Task, TaskSelection, behaviour_name};
use std::collections::BTreeSet;

/// All tables that the methods make; a table that would compare nothing is left out.
pub(crate) fn tables(file: &StudyFile, methods: &[MethodScores]) -> Vec<ScoreTable> {
    let maker = Maker { file, methods, columns: columns(file, methods) };
    let scores = [maker.scratch(), maker.pretrained()];
    let comparisons = [
        maker.baselines(),
        maker.pretraining(),
        maker.masks(),
        maker.architectures(),
        maker.recipes(),
        maker.trials(),
        maker.sessions(),
    ];
    let comparisons = comparisons.into_iter().flatten().filter(ScoreTable::has_differences);
    scores.into_iter().flatten().chain(comparisons).collect()
}

/// Tasks and behaviours in the order of the file, as far as something was scored in them. Where the file asks for all
/// behaviours, they come by the alphabet; one that is categories in some sessions and numbers in others has two columns.
fn columns(file: &StudyFile, methods: &[MethodScores]) -> Vec<Column> {
    let sessions = || methods.iter().flat_map(|method| &method.sessions);
    let scored: BTreeSet<(&String, &String)> = sessions()
        .flat_map(|session| session.behaviours.iter().map(|(name, (metric, _))| (name, metric)))
        .collect();
    let mut columns = Vec::new();
    for asked in &file.tasks {
        if Task::named(asked).is_some() {
            columns.push(Column::Task(asked.clone()));
            continue;
        }
        let is_asked = |name: &str| {
            asked == TaskSelection::EVERY_BEHAVIOUR || asked == name || behaviour_name(asked) == name
        };
        for (name, metric) in scored.iter().filter(|(name, _)| is_asked(name)) {
            let column = Column::Behaviour { name: (*name).clone(), metric: (*metric).clone() };
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
    }
    columns.retain(|column| sessions().any(|session| column.is_scored(session)));
    columns
}

struct Maker<'a> {
    file: &'a StudyFile,
    methods: &'a [MethodScores],
    columns: Vec<Column>,
}

impl<'a> Maker<'a> {
    fn trained(&self) -> Vec<Trained<'a>> {
        let trained = |scores: &'a MethodScores| match &scores.method {
            Method::Trained(method) => Some(Trained { method, scores }),
            Method::Baseline(_) => None,
        };
        self.methods.iter().filter_map(trained).collect()
    }

    /// Trained with all trials, from scratch.
    fn trained_from_scratch(&self) -> Vec<Trained<'a>> {
        let mut trained = self.trained();
        trained.retain(|entry| entry.method.pretraining.is_none() && entry.method.trials == 0);
        trained
    }

    /// Trained with all trials, from the pretraining of most sessions.
    fn trained_from_most(&self) -> Vec<Trained<'a>> {
        let mut trained = self.trained();
        trained.retain(|entry| entry.method.pretraining.is_some() && entry.method.trials == 0);
        let most = trained.iter().map(|entry| entry.method.pretraining_sessions()).max();
        let chosen = trained.iter().find(|entry| Some(entry.method.pretraining_sessions()) == most);
        let pretraining = chosen.and_then(|entry| entry.method.pretraining.clone());
        trained.retain(|entry| entry.method.pretraining == pretraining);
        trained
    }

    /// The mask that others of an architecture are compared with: the file's, where there is such a model, else the
    /// first one that is not MtM.
    fn reference_of(&self, model: Architecture) -> &MaskPool {
        let trained = self.trained();
        let masks =
            || trained.iter().filter(|entry| entry.method.model == model).map(|entry| &entry.method.mask);
        let reference = self.file.reference();
        let other = masks().find(|mask| !mask.is_multi_task());
        if masks().any(|mask| mask == reference) { reference } else { other.unwrap_or(reference) }
    }

    fn is_reference(&self, method: &TrainedMethod) -> bool {
        method.mask == *self.reference_of(method.model)
    }

    /// MtM and the reference mask.
    fn main(&self, mut trained: Vec<Trained<'a>>) -> Vec<Trained<'a>> {
        trained.retain(|entry| entry.method.mask.is_multi_task() || self.is_reference(entry.method));
        trained
    }

    fn table(&self, id: &str, title: &str, caption: &str, lines: &[Line]) -> Option<ScoreTable> {
        table(id, title, caption, &self.columns, lines)
    }

    /// MtM and the reference mask, by architecture.
    fn by_architecture(&self, trained: Vec<Trained<'a>>) -> Vec<Line<'a>> {
        let name = |method: &TrainedMethod| labels::mask(&method.mask);
        lines(self.main(trained), labels::architecture, name, |method| self.is_reference(method))
    }

    fn scratch(&self) -> Option<ScoreTable> {
        let caption = "One model for each session, trained on it alone.";
        let lines = self.by_architecture(self.trained_from_scratch());
        self.table("scratch", "Trained from scratch on each session", caption, &lines)
    }

    fn pretrained(&self) -> Option<ScoreTable> {
        let trained = self.trained_from_most();
        let start = labels::start(trained.first()?.method);
        let caption = format!("One model for each session, {start} and fine-tuned on it.");
        self.table("pretrained", "Pretrained and fine-tuned", &caption, &self.by_architecture(trained))
    }

    /// Each baseline against MtM from scratch, which has seen no more than they; where there is no such model, against
    /// the pretrained one, and where no MtM is, against the first baseline.
    fn baselines(&self) -> Option<ScoreTable> {
        let mtm =
            |trained: Vec<Trained<'a>>| trained.into_iter().find(|entry| entry.method.mask.is_multi_task());
        let models: Vec<Trained> =
            [mtm(self.trained_from_scratch()), mtm(self.trained_from_most())].into_iter().flatten().collect();
        let group = models.first().map_or_else(String::new, |entry| labels::architecture(entry.method));
        let mut named: Vec<(String, &MethodScores)> = models
            .iter()
            .map(|entry| (format!("MtM, {}", labels::start(entry.method)), entry.scores))
            .collect();
        let baselines = self.methods.iter().filter_map(|scores| match &scores.method {
            Method::Baseline(baseline) => Some((baseline.name().to_owned(), scores)),
            Method::Trained(_) => None,
        });
        named.extend(baselines);
        let line = |(place, (name, scores)): (usize, (String, &'a MethodScores))| Line {
            group: group.clone(),
            name,
            scores,
            reference: (place > 0).then_some(0),
            session: None,
            curve: String::new(),
        };
        let lines: Vec<Line> = named.into_iter().enumerate().map(line).collect();
        let mut caption = "Baselines fitted to each session".to_owned();
        if self.file.baselines.contains(&Baseline::ReducedRank) {
            caption.push_str(&format!(" ({} to all together)", Baseline::ReducedRank));
        }
        caption.push_str(if models.is_empty() { "." } else { ", beside MtM trained on it." });
        self.table("baselines", "Against the baselines", &caption, &lines)
            .filter(|_| lines.len() > models.len())
    }

    /// How scores grow with the number of sessions in pretraining.
    fn pretraining(&self) -> Option<ScoreTable> {
        let mut trained = self.trained();
        trained.retain(|entry| entry.method.trials == 0);
        trained.sort_by_key(|entry| entry.method.pretraining_sessions());
        let group = |method: &TrainedMethod| {
            format!("{} {}", labels::architecture(method), labels::mask(&method.mask))
        };
        let lines = lines(trained, group, labels::start, |method| method.pretraining.is_none());
        let caption =
            "Models fine-tuned on each session after pretraining on others, beside those from scratch.";
        self.table("pretraining", "Sessions in pretraining", caption, &Line::compared_only(lines))
    }

    /// Every mask against MtM.
    fn masks(&self) -> Option<ScoreTable> {
        let trained = self.trained_from_scratch();
        // Two masks stand side by side in the first table already.
        let is_more = trained.len() > self.main(trained.clone()).len();
        let name = |method: &TrainedMethod| labels::mask(&method.mask);
        let lines = lines(trained, labels::architecture, name, |method| method.mask.is_multi_task());
        let is_of_several = |mask: &MaskPool| mask.only().is_none() && !mask.is_multi_task();
        let caption = if self.file.masks.iter().any(is_of_several) {
            "Other pools of masking schemes beside all four (MtM), trained from scratch on each session."
        } else {
            "Each masking scheme alone beside all four (MtM), trained from scratch on each session."
        };
        self.table("masks", "Masking schemes", caption, &lines).filter(|_| is_more)
    }

    /// Every architecture against the first one.
    fn architectures(&self) -> Option<ScoreTable> {
        let first = self.file.models.first()?;
        let group = |method: &TrainedMethod| {
            let recipe = method.recipe.as_ref().map(|recipe| format!(", recipe {recipe}"));
            let recipe = recipe.unwrap_or_default();
            format!("{}{recipe}, {}", labels::mask(&method.mask), labels::start(method))
        };
        let name = |method: &TrainedMethod| method.model.label().to_owned();
        let lines = lines(self.scratch_and_most(), group, name, |method| method.model == *first);
        let caption = "Architectures trained alike.";
        self.table("architectures", "Architectures", caption, &Line::compared_only(lines))
    }

    /// Every recipe against the first one.
    fn recipes(&self) -> Option<ScoreTable> {
        let first = &self.file.recipes.first()?.name;
        let group = |method: &TrainedMethod| {
            let (model, mask) = (method.model.label().to_owned(), labels::mask(&method.mask));
            format!("{model} {mask}, {}", labels::start(method))
        };
        let name = |method: &TrainedMethod| method.recipe.clone().unwrap_or_default();
        let lines =
            lines(self.scratch_and_most(), group, name, |method| method.recipe.as_ref() == Some(first));
        self.table(
            "recipes",
            "Recipes",
            "Recipes, each with all its settings that the study leaves alone.",
            &Line::compared_only(lines),
        )
    }

    /// How scores grow with the training trials of the scored session.
    fn trials(&self) -> Option<ScoreTable> {
        let all = self.trained();
        let is_curve = |entry: &Trained| {
            let is_other = |other: &Trained| {
                let same = TrainedMethod { trials: other.method.trials, ..entry.method.clone() };
                other.method.trials != entry.method.trials && same == *other.method
            };
            all.iter().any(is_other)
        };
        let mut trained: Vec<Trained> = all.iter().copied().filter(is_curve).collect();
        // Few trials first, all (0) last.
        trained.sort_by_key(|entry| entry.method.trials.wrapping_sub(1));
        let group = |method: &TrainedMethod| {
            let trials = if method.trials == 0 { "all".to_owned() } else { method.trials.to_string() };
            format!("{} {}, {trials} trials", labels::architecture(method), labels::mask(&method.mask))
        };
        let mut lines = lines(trained, group, labels::start, |method| method.pretraining.is_none());
        for line in &mut lines {
            let model = line.group.rsplit_once(", ").map_or("", |(model, _)| model);
            line.curve = format!("{model}, {}", line.name);
        }
        let caption = "Models trained on some of each session's training trials, pretrained and not.";
        self.table("trials", "Training trials", caption, &lines)
    }

    /// Every session by itself.
    fn sessions(&self) -> Option<ScoreTable> {
        let trained = self.main(self.scratch_and_most());
        let sessions = trained.iter().flat_map(|entry| &entry.scores.sessions);
        let eids: IndexSet<&str> = sessions.map(|session| session.eid.as_str()).collect();
        let kind =
            |method: &TrainedMethod| format!("{}, {}", labels::architecture(method), labels::start(method));
        let name = |method: &TrainedMethod| labels::mask(&method.mask);
        let by_kind = lines(trained, kind, name, |method| self.is_reference(method));
        let mut all = Vec::new();
        for eid in eids.iter().filter(|_| eids.len() > 1) {
            let first = all.len();
            all.extend(by_kind.iter().map(|line| Line {
                group: (*eid).to_owned(),
                name: format!("{} ({})", line.name, line.group),
                scores: line.scores,
                reference: line.reference.map(|place| first + place),
                session: Some((*eid).to_owned()),
                curve: String::new(),
            }));
        }
        self.table("sessions", "Session by session", "Each session by itself.", &all)
    }

    fn scratch_and_most(&self) -> Vec<Trained<'a>> {
        let mut trained = self.trained_from_scratch();
        trained.extend(self.trained_from_most());
        trained
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Pretrained;
    use crate::estimate::Mark;
    use crate::results::ScoreRow;
    use crate::scores::tests::method_scores;

    const TWO: [(&str, &[f64]); 2] = [("s", &[0.1, 0.3]), ("t", &[0.6, 0.6])];

    fn file(text: &str) -> StudyFile {
        let text =
            format!("name = 'n'\nsessions = ['x']\ntasks = ['co-smoothing', 'forward', 'choice']\n{text}");
        toml::from_str(&text).unwrap()
    }

    fn trained(mask: &str, pretrained: usize, trials: u64) -> Method {
        let pretraining = (pretrained > 0)
            .then(|| Pretrained { name: format!("{pretrained}-sessions"), sessions: pretrained });
        Method::Trained(TrainedMethod {
            model: Architecture::default(),
            mask: mask.parse().unwrap(),
            recipe: None,
            pretraining,
            trials,
        })
    }

    /// Every score of [`TWO`] and so much more.
    fn scores(method: Method, more: f64) -> MethodScores {
        let sessions =
            TWO.map(|(eid, scores)| (eid, scores.iter().map(|score| score + more).collect::<Vec<f64>>()));
        let sessions: Vec<(&str, &[f64])> =
            sessions.iter().map(|(eid, scores)| (*eid, scores.as_slice())).collect();
        method_scores(method, &sessions)
    }

    #[test]
    fn means_are_over_the_units_that_all_rows_share_and_differ_by_the_paired_difference() {
        // The first row has a third unit in `s` that the other was not scored on.
        let methods = [
            method_scores(trained("mtm", 0, 0), &[("s", &[0.1, 0.3, 5.0]), ("t", &[0.6, 0.6])]),
            method_scores(trained("temporal", 0, 0), &[("s", &[0.0, 0.2]), ("t", &[0.5, 0.5])]),
        ];
        let tables = tables(&file(""), &methods);
        let expected = [("temporal".to_owned(), 0.3, None), ("MtM".to_owned(), 0.4, Some(0.1))];
        assert_eq!(rows(&tables[0]), expected);
        assert_eq!(tables[0].rows[1].cells[0].unwrap().score.units, 4);
    }

    fn ids(tables: &[ScoreTable]) -> Vec<&str> {
        tables.iter().map(|table| table.id.as_str()).collect()
    }

    /// `name, mean, difference from the reference`, rounded, of the first column.
    fn rows(table: &ScoreTable) -> Vec<(String, f64, Option<f64>)> {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let row = |row: &ScoreRow| {
            let cell = row.cells[0].unwrap();
            let difference = cell.difference.map(|difference| round(difference.estimate.mean));
            (row.name.clone(), round(cell.score.mean), difference)
        };
        table.rows.iter().map(row).collect()
    }

    #[test]
    fn masks_from_scratch_and_pretrained_are_compared_with_the_reference_mask() {
        let methods = [
            scores(trained("mtm", 0, 0), 0.2),
            scores(trained("mtm", 2, 0), 0.3),
            scores(trained("mtm", 4, 0), 0.4),
            scores(trained("temporal", 0, 0), 0.0),
            scores(trained("temporal", 4, 0), 0.1),
        ];
        let tables = tables(&file(""), &methods);
        assert_eq!(ids(&tables), ["scratch", "pretrained", "pretraining", "sessions"]);
        let row = |name: &str, mean, difference| (name.to_owned(), mean, difference);
        // (mean of 0.1 and 0.3, and 0.6) / 2 = 0.4; the reference stands first.
        assert_eq!(rows(&tables[0]), [row("temporal", 0.4, None), row("MtM", 0.6, Some(0.2))]);
        assert_eq!(rows(&tables[1]), [row("temporal", 0.5, None), row("MtM", 0.8, Some(0.3))]);
        assert!(tables[1].caption.contains("pretrained on 4 sessions"));
        let pretraining = [
            row("from scratch", 0.6, None),
            row("pretrained on 2 sessions", 0.7, Some(0.1)),
            row("pretrained on 4 sessions", 0.8, Some(0.2)),
            row("from scratch", 0.4, None),
            row("pretrained on 4 sessions", 0.5, Some(0.1)),
        ];
        assert_eq!(rows(&tables[2]), pretraining);
        assert_eq!(tables[2].groups().iter().map(|(_, rows)| rows.len()).collect::<Vec<_>>(), [3, 2]);
        // Session by session, with a reference of the same kind in the same session.
        let sessions = rows(&tables[3]);
        assert_eq!(sessions.len(), 8);
        assert_eq!(sessions[1], row("MtM (NDT1-stitch, from scratch)", 0.4, Some(0.2)));
        assert_eq!(sessions[7], row("MtM (NDT1-stitch, pretrained on 4 sessions)", 1.0, Some(0.3)));
        assert_eq!(tables[3].rows[7].reference, Some(6));
        // Nothing was scored in forward prediction.
        assert_eq!(
            tables[0].columns.iter().map(Column::name).collect::<Vec<_>>(),
            ["co-smoothing", "choice"]
        );
    }

    #[test]
    fn a_column_averages_the_sessions_that_all_rows_have() {
        let methods = [
            scores(trained("mtm", 0, 0), 0.0),
            method_scores(trained("temporal", 0, 0), &[("t", &[0.5, 0.7])]),
        ];
        let scratch = &tables(&file(""), &methods)[0];
        assert_eq!(rows(scratch), [("temporal".to_owned(), 0.6, None), ("MtM".to_owned(), 0.6, Some(0.0))]);
        assert_eq!(scratch.rows[1].cells[0].unwrap().score.sessions, 1);
        assert_eq!(scratch.rows[1].cells[0].unwrap().difference.unwrap().mark, Mark::Undecided);
    }

    #[test]
    fn baselines_are_compared_with_the_first_model_that_is_there_and_else_with_each_other() {
        let baseline = |baseline, more| scores(Method::Baseline(baseline), more);
        let both = [baseline(Baseline::UnitMean, 0.0), baseline(Baseline::Psth, 0.1)];
        let table_of = |models: &[MethodScores]| {
            let tables = tables(&file("baselines = ['all']"), &[models, &both].concat());
            let table = tables.into_iter().find(|table| table.id == "baselines").unwrap();
            (rows(&table), table.caption)
        };
        let row = |name: &str, mean, difference| (name.to_owned(), mean, difference);
        let (found, caption) = table_of(&[scores(trained("mtm", 2, 0), 0.2)]);
        let expected = [
            row("MtM, pretrained on 2 sessions", 0.6, None),
            row("unit-mean", 0.4, Some(-0.2)),
            row("psth", 0.5, Some(-0.1)),
        ];
        assert_eq!(found, expected);
        assert_eq!(
            caption,
            "Baselines fitted to each session (reduced-rank to all together), beside MtM trained on it."
        );
        let (found, caption) = table_of(&[]);
        assert_eq!(found, [row("unit-mean", 0.4, None), row("psth", 0.5, Some(0.1))]);
        assert_eq!(caption, "Baselines fitted to each session (reduced-rank to all together).");
    }

    #[test]
    fn what_a_baseline_does_not_do_is_empty() {
        let mut history = scores(Method::Baseline(Baseline::History), 0.3);
        for session in &mut history.sessions {
            session.behaviours.clear();
        }
        let mut linear = scores(Method::Baseline(Baseline::Linear), 0.3);
        for session in &mut linear.sessions {
            session.tasks.clear();
        }
        let methods = [scores(trained("mtm", 0, 0), 0.2), history, linear];
        let tables = tables(&file("baselines = ['history', 'linear']"), &methods);
        let table = tables.iter().find(|table| table.id == "baselines").unwrap();
        let filled = |row: &ScoreRow| row.cells.iter().map(Option::is_some).collect::<Vec<_>>();
        assert_eq!(
            table.rows.iter().map(filled).collect::<Vec<_>>(),
            [[true, true], [true, false], [false, true]]
        );
        // They take no session from the rows that have a score.
        assert_eq!(table.rows[1].cells[0].unwrap().difference.unwrap().estimate.sessions, 2);
        assert_eq!(table.rows[2].cells[1].unwrap().difference.unwrap().estimate.sessions, 2);
    }

    #[test]
    fn schemes_baselines_and_trials_have_tables_of_their_own() {
        let methods = [
            scores(trained("temporal", 0, 0), 0.0),
            scores(trained("mtm", 0, 0), 0.2),
            scores(trained("mtm", 0, 20), -0.1),
            scores(trained("neuron", 0, 0), 0.1),
            scores(trained("mtm", 3, 0), 0.3),
            scores(trained("mtm", 3, 20), 0.1),
            scores(Method::Baseline(Baseline::PoissonGlm), 0.05),
        ];
        let tables = tables(&file("masks = ['temporal', 'mtm', 'neuron']"), &methods);
        assert_eq!(
            ids(&tables),
            ["scratch", "pretrained", "baselines", "pretraining", "masks", "trials", "sessions"]
        );
        let row = |name: &str, mean, difference| (name.to_owned(), mean, difference);
        assert_eq!(rows(&tables[0]).len(), 2, "the reference and MtM");
        let baselines = [
            row("MtM, from scratch", 0.6, None),
            row("MtM, pretrained on 3 sessions", 0.7, Some(0.1)),
            row("poisson-glm", 0.45, Some(-0.15)),
        ];
        assert_eq!(rows(&tables[2]), baselines);
        let masks = [row("MtM", 0.6, None), row("temporal", 0.4, Some(-0.2)), row("neuron", 0.5, Some(-0.1))];
        assert_eq!(rows(&tables[4]), masks);
        let trials = [
            row("from scratch", 0.3, None),
            row("pretrained on 3 sessions", 0.5, Some(0.2)),
            row("from scratch", 0.6, None),
            row("pretrained on 3 sessions", 0.7, Some(0.1)),
        ];
        assert_eq!(rows(&tables[5]), trials);
        assert_eq!(tables[5].rows[0].group, "NDT1-stitch MtM, 20 trials");
        assert_eq!(tables[5].rows[3].curve, "NDT1-stitch MtM, pretrained on 3 sessions");
    }
}
