//! All cells of a study.

use crate::cell::{Cell, Method, Needed, Pretrained, Stage, TrainedMethod};
use crate::file::{Exclusion, Pretraining, StudyFile};
use crate::{StudyError, StudyRecipe, StudySession, StudySessions, glue};
use neuroglot_baselines::Baseline;
use neuroglot_masks::MaskPool;
use neuroglot_model::Architecture;
use neuroglot_train::RunConfig;
use std::collections::BTreeSet;
use std::path::Path;
use toml::Table;

/// The cells of a study, each after the one it needs. Ids do not depend on what else is in the study, so a grid can grow
/// and finished cells stay.
///
/// # Errors
/// [`StudyError::File`] names what cannot be: a setting, an architecture, or a grid of which nothing is left.
pub fn cells(file: &StudyFile, sessions: &StudySessions) -> Result<Vec<Cell>, StudyError> {
    file.check_size(sessions.scored.len())?;
    let pretrainings = pretrainings(file, sessions)?;
    let mut cells = Vec::new();
    for line in lines(file) {
        cells.extend(scratch(file, sessions, &line)?);
        for pretraining in &pretrainings {
            cells.extend(pretrained(file, sessions, &line, pretraining)?);
        }
    }
    for baseline in &file.baselines {
        cells.extend(of_baseline(file, sessions, *baseline)?);
    }
    if !cells.iter().any(Cell::is_scored) {
        return Err(file.wrong("exclude leaves nothing of the grid: loosen it"));
    }
    if let Some(id) = repeated_id(&cells) {
        return Err(
            file.wrong(format!("two cells would lie in the folder {id}: rename a pretraining or a session"))
        );
    }
    Ok(cells)
}

/// One model of the grid, before it is said what it is trained on.
struct Line<'a> {
    recipe: Option<&'a StudyRecipe>,
    model: Architecture,
    mask: &'a MaskPool,
    seed: u64,
}

fn lines(file: &StudyFile) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for recipe in file.recipes() {
        for model in &file.models {
            for mask in &file.masks {
                for seed in &file.seeds {
                    lines.push(Line { recipe, model: *model, mask, seed: *seed });
                }
            }
        }
    }
    lines
}

impl Line<'_> {
    /// The parts of an id that say which model it is.
    fn names(&self) -> Vec<String> {
        let recipe = self.recipe.map(|recipe| recipe.name.clone());
        let names = [Some(self.model.name().to_owned()), Some(self.mask.name()), recipe];
        names.into_iter().flatten().chain([format!("s{}", self.seed)]).collect()
    }

    fn method(&self, pretraining: Option<&Pretrained>, trials: u64) -> Method {
        Method::Trained(TrainedMethod {
            model: self.model,
            mask: self.mask.clone(),
            recipe: self.recipe.map(|recipe| recipe.name.clone()),
            pretraining: pretraining.cloned(),
            trials,
        })
    }

    fn is_excluded(&self, file: &StudyFile, stage: Stage, pretraining: Option<&str>, trials: u64) -> bool {
        file.exclude.iter().any(|exclusion| {
            let Exclusion { stage: excluded, pretrain, model, mask, recipe, seed, trials: number } =
                exclusion;
            excluded.as_deref().is_none_or(|name| name == stage.name())
                && pretrain.as_deref().is_none_or(|name| pretraining == Some(name))
                && model.is_none_or(|model| model == self.model)
                && mask.as_ref().is_none_or(|mask| mask == self.mask)
                && recipe.as_ref().is_none_or(|name| self.recipe.is_some_and(|recipe| recipe.name == *name))
                && seed.is_none_or(|seed| seed == self.seed)
                && number.is_none_or(|number| number == trials)
        })
    }

    /// The cell that is scored on a session: from scratch, or from what is pretrained in another cell.
    fn scored(
        &self,
        session: &StudySession,
        trials: u64,
        base: Option<(&Pretrained, &Needed)>,
        settings: &RunConfig,
    ) -> Cell {
        let stage = if base.is_some() { Stage::Finetune } else { Stage::Scratch };
        let pretraining = base.map(|(pretrained, _)| pretrained);
        let first = pretraining.map(|pretrained| pretrained.name.clone());
        let mut names: Vec<String> = first.into_iter().chain(self.names()).collect();
        names.extend((trials > 0).then(|| format!("t{trials}")));
        names.push(session.eid.clone());
        Cell {
            id: id(stage, &names),
            stage,
            method: self.method(pretraining, trials),
            seed: Some(self.seed),
            sessions: vec![session.clone()],
            scored: vec![session.eid.clone()],
            needs: base.map(|(_, needed)| needed.clone()),
            settings: settings.clone(),
        }
    }

    fn own_settings(&self, trials: u64) -> Vec<String> {
        glue::own_settings(self.model, self.mask, self.seed, trials)
    }
}

/// A pretraining with its name and sessions.
struct NamedPretraining<'a> {
    pretrained: Pretrained,
    file: &'a Pretraining,
    sessions: Vec<StudySession>,
}

fn pretrainings<'a>(
    file: &'a StudyFile,
    sessions: &StudySessions,
) -> Result<Vec<NamedPretraining<'a>>, StudyError> {
    let mut found: Vec<NamedPretraining> = Vec::new();
    for pretraining in &file.pretrain {
        let chosen = sessions.of_pretraining(file, pretraining)?;
        let name = pretraining.name.clone().unwrap_or_else(|| format!("{}-sessions", chosen.len()));
        if found.iter().any(|other| other.pretrained.name == name) {
            return Err(
                file.wrong(format!("two pretrainings are called {name}: give each a name of its own"))
            );
        }
        let pretrained = Pretrained { name, sessions: chosen.len() };
        found.push(NamedPretraining { pretrained, file: pretraining, sessions: chosen });
    }
    Ok(found)
}

fn scratch(file: &StudyFile, sessions: &StudySessions, line: &Line<'_>) -> Result<Vec<Cell>, StudyError> {
    let mut cells = Vec::new();
    for &trials in &file.scratch.trials {
        if line.is_excluded(file, Stage::Scratch, None, trials) {
            continue;
        }
        let tables = [&file.settings, &file.scratch.settings];
        let settings = settings(file, line.recipe, &tables, &line.own_settings(trials))?;
        cells.extend(sessions.scored.iter().map(|session| line.scored(session, trials, None, &settings)));
    }
    Ok(cells)
}

/// A baseline takes the units and trials of models from scratch, which it is compared with. One that fits sessions
/// together is one cell of all sessions, in an order that does not depend on which are held out.
fn of_baseline(
    file: &StudyFile,
    sessions: &StudySessions,
    baseline: Baseline,
) -> Result<Vec<Cell>, StudyError> {
    let data = settings(file, None, &[&file.settings, &file.scratch.settings], &[])?.data;
    if data.trials > 0 {
        let problem = "baselines are fitted to all training trials: give numbers of trials as `trials` of [scratch] and \
                       [finetune], or leave baselines out";
        return Err(file.wrong(format!("data.trials = {}: {problem}", data.trials)));
    }
    let cell = |name: &str, of: Vec<StudySession>, scored: Vec<String>| Cell {
        id: id(Stage::Baseline, &[baseline.name(), name]),
        stage: Stage::Baseline,
        method: Method::Baseline(baseline),
        seed: None,
        sessions: of,
        scored,
        needs: None,
        settings: RunConfig { data: data.clone(), ..RunConfig::default() },
    };
    if baseline.is_of_sessions_together() {
        let mut all: Vec<StudySession> = sessions.scored.iter().chain(&sessions.others).cloned().collect();
        all.sort_by(|a, b| a.eid.cmp(&b.eid));
        let scored = sessions.scored.iter().map(|session| session.eid.clone()).collect();
        return Ok(vec![cell(&format!("{}-sessions", all.len()), all, scored)]);
    }
    let of_one =
        |session: &StudySession| cell(&session.eid, vec![session.clone()], vec![session.eid.clone()]);
    Ok(sessions.scored.iter().map(of_one).collect())
}

/// A pretraining and its fine-tunings; nothing where no fine-tuning is left.
fn pretrained(
    file: &StudyFile,
    sessions: &StudySessions,
    line: &Line<'_>,
    pretraining: &NamedPretraining,
) -> Result<Vec<Cell>, StudyError> {
    let NamedPretraining { pretrained, file: of_file, sessions: trained_on } = pretraining;
    if !of_file.masks.is_empty() && !of_file.masks.contains(line.mask) {
        return Ok(Vec::new());
    }
    let is_excluded = |trials| line.is_excluded(file, Stage::Finetune, Some(&pretrained.name), trials);
    let trials: Vec<u64> =
        file.finetune.trials.iter().copied().filter(|trials| !is_excluded(*trials)).collect();
    if trials.is_empty() {
        return Ok(Vec::new());
    }
    let mut names = vec![pretrained.name.clone()];
    names.extend(line.names());
    let first = Cell {
        id: id(Stage::Pretrain, &names),
        stage: Stage::Pretrain,
        method: line.method(Some(pretrained), 0),
        seed: Some(line.seed),
        sessions: trained_on.clone(),
        scored: Vec::new(),
        needs: None,
        settings: settings(file, line.recipe, &[&file.settings, &of_file.settings], &line.own_settings(0))?,
    };
    let needed = Needed {
        id: first.id.clone(),
        settings: first.settings.clone(),
        sessions: first.sessions.iter().map(|session| session.eid.clone()).collect(),
    };
    let mut cells = vec![first];
    for trials in trials {
        let tables = [&file.settings, &file.finetune.settings];
        let mut own = line.own_settings(trials);
        // Where the study lies is not part of what a cell is: its pretraining's id stands for the folder.
        own.extend(glue::finetuning_settings(Path::new(&needed.id), &file.checkpoint));
        let settings = settings(file, line.recipe, &tables, &own)?;
        let base = Some((pretrained, &needed));
        cells.extend(sessions.scored.iter().map(|session| line.scored(session, trials, base, &settings)));
    }
    Ok(cells)
}

fn settings(
    file: &StudyFile,
    recipe: Option<&StudyRecipe>,
    tables: &[&Table],
    own: &[String],
) -> Result<RunConfig, StudyError> {
    recipe
        .map_or_else(|| Ok(RunConfig::default()), StudyRecipe::defaults)
        .and_then(|defaults| defaults.layered(tables, own, &file.models))
        .map_err(|error| file.wrong(error.to_string()))
}

/// A folder of one name per stage. Names that cannot be part of a path on every system are changed, and told apart by a
/// number made from the name as it was.
fn id(stage: Stage, names: &[impl AsRef<str>]) -> String {
    let name = names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("_");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).take(180).collect();
    let mark = if plain == name { String::new() } else { format!("-{:08x}", fnv1a(&name)) };
    format!("{stage}/{plain}{mark}")
}

/// The FNV-1a hash, 32 bits.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn repeated_id(cells: &[Cell]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    cells.iter().map(|cell| cell.id.as_str()).find(|id| !seen.insert(*id))
}
