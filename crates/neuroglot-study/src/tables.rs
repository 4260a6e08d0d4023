//! The tables of a study: which methods are set side by side, and which is compared with which.

use crate::cell::{Method, TrainedMethod};
use crate::estimate::Column;
use crate::results::ScoreTable;
use crate::scores::MethodScores;
use crate::table_rows::{Line, Trained, lines, table};
use crate::{StudyFile, labels};
use neuroglot_eval::Task;
use neuroglot_train::MaskPool;

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

/// Tasks and behaviours in the order of the file, as far as something was scored in them.
fn columns(file: &StudyFile, methods: &[MethodScores]) -> Vec<Column> {
    let column = |name: &String| match Task::ALL.iter().any(|task| task.name() == name) {
        true => Column::Task(name.clone()),
        false => Column::Behaviour(name.clone()),
    };
    let sessions = || methods.iter().flat_map(|method| &method.sessions);
    file.tasks
        .iter()
        .map(column)
        .filter(|column| sessions().any(|session| column.is_scored(session)))
        .collect()
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
    fn from_scratch(&self) -> Vec<Trained<'a>> {
        let mut trained = self.trained();
        trained.retain(|of| of.method.pretraining.is_none() && of.method.trials == 0);
        trained
    }

    /// Trained with all trials, from the pretraining of most sessions.
    fn from_most(&self) -> Vec<Trained<'a>> {
        let mut trained = self.trained();
        trained.retain(|of| of.method.pretraining.is_some() && of.method.trials == 0);
        let most = trained.iter().map(|of| of.method.pretraining_sessions()).max();
        let chosen = trained.iter().find(|of| Some(of.method.pretraining_sessions()) == most);
        let pretraining = chosen.and_then(|of| of.method.pretraining.clone());
        trained.retain(|of| of.method.pretraining == pretraining);
        trained
    }

    /// The mask that others of an architecture are compared with: the file's, where there is such a model, else the
    /// first one that is not MtM.
    fn reference_of(&self, model: &str) -> MaskPool {
        let trained = self.trained();
        let masks = || trained.iter().filter(|of| of.method.model == model).map(|of| of.method.mask);
        let reference = self.file.reference();
        let other = masks().find(|mask| *mask != MaskPool::MultiTask);
        if masks().any(|mask| mask == reference) { reference } else { other.unwrap_or(reference) }
    }

    fn is_reference(&self, method: &TrainedMethod) -> bool {
        method.mask == self.reference_of(&method.model)
    }

    /// MtM and the reference mask.
    fn main(&self, mut trained: Vec<Trained<'a>>) -> Vec<Trained<'a>> {
        trained.retain(|of| of.method.mask == MaskPool::MultiTask || self.is_reference(of.method));
        trained
    }

    fn table(&self, id: &str, title: &str, caption: &str, lines: &[Line]) -> Option<ScoreTable> {
        table(id, title, caption, &self.columns, lines)
    }

    /// MtM and the reference mask, by architecture.
    fn by_architecture(&self, trained: Vec<Trained<'a>>) -> Vec<Line<'a>> {
        let name = |method: &TrainedMethod| labels::mask(method.mask);
        lines(self.main(trained), labels::architecture, name, |method| self.is_reference(method))
    }

    fn scratch(&self) -> Option<ScoreTable> {
        let caption = "One model for each session, trained on it alone.";
        let lines = self.by_architecture(self.from_scratch());
        self.table("scratch", "Trained from scratch on each session", caption, &lines)
    }

    fn pretrained(&self) -> Option<ScoreTable> {
        let trained = self.from_most();
        let start = labels::start(trained.first()?.method);
        let caption = format!("One model for each session, {start} and fine-tuned on it.");
        self.table("pretrained", "Pretrained and fine-tuned", &caption, &self.by_architecture(trained))
    }

    /// Each baseline against MtM from scratch, which has seen no more than they.
    fn baselines(&self) -> Option<ScoreTable> {
        let mtm =
            |trained: Vec<Trained<'a>>| trained.into_iter().find(|of| of.method.mask == MaskPool::MultiTask);
        let scratch = mtm(self.from_scratch())?;
        let name = |of: &Trained| format!("MtM, {}", labels::start(of.method));
        let line = |name: String, scores: &'a MethodScores, reference| Line {
            group: labels::architecture(scratch.method),
            name,
            scores,
            reference,
            session: None,
            curve: String::new(),
        };
        let mut lines = vec![line(name(&scratch), scratch.scores, None)];
        lines.extend(mtm(self.from_most()).map(|of| line(name(&of), of.scores, Some(0))));
        let baselines = self.methods.iter().filter_map(|scores| match &scores.method {
            Method::Baseline(name) => Some(line(name.clone(), scores, Some(0))),
            Method::Trained(_) => None,
        });
        let models = lines.len();
        lines.extend(baselines);
        let caption = "Baselines fitted to each session, beside MtM trained on it.";
        self.table("baselines", "Against the baselines", caption, &lines).filter(|_| lines.len() > models)
    }

    /// How scores grow with the number of sessions in pretraining.
    fn pretraining(&self) -> Option<ScoreTable> {
        let mut trained = self.trained();
        trained.retain(|of| of.method.trials == 0);
        trained.sort_by_key(|of| of.method.pretraining_sessions());
        let group = |method: &TrainedMethod| {
            format!("{} {}", labels::architecture(method), labels::mask(method.mask))
        };
        let lines = lines(trained, group, labels::start, |method| method.pretraining.is_none());
        let caption =
            "Models fine-tuned on each session after pretraining on others, beside those from scratch.";
        self.table("pretraining", "Sessions in pretraining", caption, &Line::compared_only(lines))
    }

    /// Every mask against MtM.
    fn masks(&self) -> Option<ScoreTable> {
        let trained = self.from_scratch();
        // Two masks stand side by side in the first table already.
        let is_more = trained.len() > self.main(trained.clone()).len();
        let name = |method: &TrainedMethod| labels::mask(method.mask);
        let lines = lines(trained, labels::architecture, name, |method| method.mask == MaskPool::MultiTask);
        let caption =
            "Each masking scheme alone beside all four (MtM), trained from scratch on each session.";
        self.table("masks", "Masking schemes", caption, &lines).filter(|_| is_more)
    }

    /// Every architecture against the first one.
    fn architectures(&self) -> Option<ScoreTable> {
        let first = self.file.models.first()?;
        let group = |method: &TrainedMethod| {
            let recipe = method.recipe.map(|recipe| format!(", recipe {}", recipe.name()));
            let recipe = recipe.unwrap_or_default();
            format!("{}{recipe}, {}", labels::mask(method.mask), labels::start(method))
        };
        let name = |method: &TrainedMethod| labels::model(&method.model);
        let lines = lines(self.scratch_and_most(), group, name, |method| method.model == *first);
        let caption = "Architectures trained alike.";
        self.table("architectures", "Architectures", caption, &Line::compared_only(lines))
    }

    /// Every recipe against the first one.
    fn recipes(&self) -> Option<ScoreTable> {
        let first = *self.file.recipes.first()?;
        let group = |method: &TrainedMethod| {
            let (model, mask) = (labels::model(&method.model), labels::mask(method.mask));
            format!("{model} {mask}, {}", labels::start(method))
        };
        let name =
            |method: &TrainedMethod| method.recipe.map_or(String::new(), |recipe| recipe.name().to_owned());
        let lines = lines(self.scratch_and_most(), group, name, |method| method.recipe == Some(first));
        self.table("recipes", "Recipes", "Recipes at equal epochs.", &Line::compared_only(lines))
    }

    /// How scores grow with the training trials of the scored session.
    fn trials(&self) -> Option<ScoreTable> {
        let all = self.trained();
        let is_curve = |of: &Trained| {
            let is_other = |other: &Trained| {
                let same = TrainedMethod { trials: other.method.trials, ..of.method.clone() };
                other.method.trials != of.method.trials && same == *other.method
            };
            all.iter().any(is_other)
        };
        let mut trained: Vec<Trained> = all.iter().copied().filter(is_curve).collect();
        // Few trials first, all (0) last.
        trained.sort_by_key(|of| of.method.trials.wrapping_sub(1));
        let group = |method: &TrainedMethod| {
            let trials = if method.trials == 0 { "all".to_owned() } else { method.trials.to_string() };
            format!("{} {}, {trials} trials", labels::architecture(method), labels::mask(method.mask))
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
        let mut eids: Vec<&str> = Vec::new();
        for session in trained.iter().flat_map(|of| &of.scores.sessions) {
            if !eids.contains(&session.eid.as_str()) {
                eids.push(&session.eid);
            }
        }
        let kind =
            |method: &TrainedMethod| format!("{}, {}", labels::architecture(method), labels::start(method));
        let name = |method: &TrainedMethod| labels::mask(method.mask);
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
        let mut trained = self.from_scratch();
        trained.extend(self.from_most());
        trained
    }
}
