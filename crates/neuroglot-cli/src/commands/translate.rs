//! `neuroglot translate`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::runs::loaded_run::{CheckpointOption, LoadedRun, open_model};
use crate::runs::output_format::PageOrTable;
use crate::runs::place::Place;
use crate::runs::sessions;
use crate::terminal::console::Console;
use crate::terminal::number::{decimal, ends};
use crate::terminal::progress::EvaluationBar;
use crate::terminal::shell::word;
use crate::terminal::text_table::TextTable;
use clap::Args;
use neuroglot::data::number::counted;
use neuroglot::eval::{Translation, translate, translation_json, translation_table};
use neuroglot::files::{OutputLock, replace_file};
use neuroglot::report::{PageFormat, TranslationPage};
use neuroglot::tasks::EvaluationOptions;
use neuroglot::tasks::results::Interval;
use std::path::PathBuf;

/// Predict each region from each other one, from all others and from itself
///
/// Every region of the session is predicted in its test trials from one other region alone, from all others together,
/// and, unit by unit, from its own other units: bits/spike, mean over its units, with a bootstrap 95 % interval over
/// units. FILE.html shows the matrix, and a file of the same name that ends in .json holds the scores; FILE.svg is the
/// figure alone, and .csv, .parquet or .npz are the scores as a table.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot translate mtm data/a_aligned --out regions.html\n  \
                        neuroglot translate mtm data/a_aligned --out regions.html --json | jq '.scores[] | select(.bps > 0.1)'")]
pub struct Arguments {
    /// A run folder, one of its checkpoints, or hub:OWNER/NAME
    #[arg(value_name = "RUN")]
    run: Place,
    /// A session that the run was trained on
    #[arg(value_name = "SESSION")]
    session: Place,
    /// The page to write, whose scores go beside it, or FILE.svg, .csv, .parquet or .npz
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Which checkpoint.
    #[command(flatten)]
    checkpoint: CheckpointOption,
    /// Print the scores as JSON, one for each target and source
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Predicts regions from each other, writes the page and the scores, and prints these.
///
/// # Errors
/// A run, checkpoint or session that cannot be used, a session of fewer than two regions, a file that cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let scores_file = arguments.out.with_extension("json");
    if scores_file == arguments.out {
        let out = arguments.out.display();
        return Err(CommandError::Usage(format!(
            "--out {out}: the scores are kept in this file, beside the page; let the page end in .html"
        )));
    }
    let kind = PageOrTable::of(&arguments.out)?;
    let _locks = [OutputLock::beside(&arguments.out)?, OutputLock::beside(&scores_file)?];
    let folder = open_model(&arguments.run.of_run(console)?, arguments.checkpoint.name())?;
    let paths = [arguments.session.of_session(console)?];
    let session = sessions::read_known(&paths, &folder, console)?.remove(0);
    let device = arguments.device.with_threads(threads).open(console)?.device;
    let mut run = LoadedRun::open(folder, device, console)?;
    let mut bar = EvaluationBar::new("", console);
    let options = EvaluationOptions::default();
    let translation = translate(&mut run.ensemble, &session, &options, &mut |at| bar.show(&at))?;
    drop(bar);
    let scores = translation_json(&translation);
    let text = format!("{scores:#}\n");
    let [run_word, session_word, out_word] =
        [arguments.run.to_string(), arguments.session.to_string(), arguments.out.display().to_string()]
            .map(word);
    let checkpoint =
        arguments.checkpoint.name().map_or(String::new(), |name| format!(" --checkpoint {name}"));
    let page = TranslationPage {
        run: run.folder.name(),
        command: format!("neuroglot translate {run_word} {session_word}{checkpoint} --out {out_word}"),
        translation,
    };
    match kind {
        PageOrTable::Table => translation_table(&page.translation).write(&arguments.out)?,
        PageOrTable::Page(_) => page.write(&arguments.out)?,
    }
    if kind == PageOrTable::Page(PageFormat::Html) {
        replace_file(&scores_file, text.as_bytes())?;
        console.note(format!("kept in {} and {}", arguments.out.display(), scores_file.display()));
    } else {
        console.note(format!("kept in {}", arguments.out.display()));
    }
    if arguments.json { console.json(&scores) } else { console.result(in_words(&page.translation)) }
}

/// A row per target; columns for all others, itself and each region alone.
fn in_words(translation: &Translation) -> String {
    let matrix = &translation.matrix;
    let mut heads: Vec<String> = ["target", "units", "all others", "itself"].map(str::to_owned).to_vec();
    heads.extend(matrix.regions.iter().map(|region| format!("{region} alone")));
    let mut table = TextTable::new(heads, 1);
    let cell = |score: Option<Interval>| {
        score.map_or("n/a".to_owned(), |score| format!("{} {}", decimal(Some(score.mean)), ends(Some(score))))
    };
    let itself = matrix.from_itself();
    for (target, region) in matrix.regions.iter().enumerate() {
        let mut row = vec![region.clone(), matrix.units[target].to_string()];
        row.extend([matrix.from_others[target], itself[target]].map(cell));
        let alone = matrix.from_one.iter().enumerate();
        row.extend(
            alone.map(|(source, row)| if source == target { String::new() } else { cell(row[target]) }),
        );
        table.push(row);
    }
    let trials = counted(translation.trials, "test trial");
    format!("{}  {trials}, bits/spike [95 %]\n{table}", translation.eid)
}
